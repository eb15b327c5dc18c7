complete -c get-refresh-token -s p -l profile -d 'Profile to use' -r -f
complete -c get-refresh-token -l config -d 'Configuration file to use' -r -F
complete -c get-refresh-token -l generate -d 'Print a man page or shell completions' -r -f -a "man\t''
man-config\t''
complete-bash\t''
complete-elvish\t''
complete-fish\t''
complete-powershell\t''
complete-zsh\t''"
complete -c get-refresh-token -s v -l verbose -d 'Verbose output; never shows secrets'
complete -c get-refresh-token -s h -l help -d 'Print help (see more with \'--help\')'
complete -c get-refresh-token -s V -l version -d 'Print version'
