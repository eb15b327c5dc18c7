complete -c refresh-token -s p -l profile -d 'What the token is for: a profile of the configuration' -r -f
complete -c refresh-token -l format -d 'What to print: the token; XOAUTH2\'s line for a mail server; or JSON with all that is known of the token' -r -f -a "token\t''
xoauth2\t''
json\t''"
complete -c refresh-token -l user -d 'With --format xoauth2: whose mailbox (else the profile\'s username, else who signed in)' -r -f
complete -c refresh-token -l config -d 'Read this configuration file (else the one that M365AUTH_CONFIG names)' -r -F
complete -c refresh-token -l generate -d 'Print a man page (man, man-config), or completions (complete-bash, -elvish, -fish, -powershell, -zsh)' -r -f -a "man\t''
man-config\t''
complete-bash\t''
complete-elvish\t''
complete-fish\t''
complete-powershell\t''
complete-zsh\t''"
complete -c refresh-token -l fresh -d 'Ask Microsoft for a new token, even if one is kept in memory'
complete -c refresh-token -s v -l verbose -d 'Say what is done, never a secret'
complete -c refresh-token -s h -l help -d 'Print help (see more with \'--help\')'
complete -c refresh-token -s V -l version -d 'Print version'
