complete -c refresh-token -s p -l profile -d 'Profile to use' -r -f
complete -c refresh-token -l format -d 'Output format' -r -f -a "token\t''
xoauth2\t''
json\t''"
complete -c refresh-token -l user -d 'Mailbox for --format xoauth2' -r -f
complete -c refresh-token -l config -d 'Configuration file to use' -r -F
complete -c refresh-token -l generate -d 'Print a man page or shell completions' -r -f -a "man\t''
man-config\t''
complete-bash\t''
complete-elvish\t''
complete-fish\t''
complete-powershell\t''
complete-zsh\t''"
complete -c refresh-token -l fresh -d 'Ignore the cached token'
complete -c refresh-token -s v -l verbose -d 'Verbose output; never shows secrets'
complete -c refresh-token -s h -l help -d 'Print help (see more with \'--help\')'
complete -c refresh-token -s V -l version -d 'Print version'
