complete -c get-refresh-token -s p -l profile -d 'What the token is for: a profile of the configuration' -r -f
complete -c get-refresh-token -l config -d 'Read this configuration file (else the one that M365AUTH_CONFIG names)' -r -F
complete -c get-refresh-token -l generate -d 'Print a man page (man, man-config), or completions (complete-bash, -elvish, -fish, -powershell, -zsh)' -r -f -a "man\t''
man-config\t''
complete-bash\t''
complete-elvish\t''
complete-fish\t''
complete-powershell\t''
complete-zsh\t''"
complete -c get-refresh-token -s v -l verbose -d 'Say what is done, never a secret'
complete -c get-refresh-token -s h -l help -d 'Print help (see more with \'--help\')'
complete -c get-refresh-token -s V -l version -d 'Print version'
