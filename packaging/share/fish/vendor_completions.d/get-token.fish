complete -c get-token -s p -l profile -d 'What the token is for: a profile of the configuration, "mail" if none is named; several for one sign-in that serves them all' -r -f
complete -c get-token -l browser -d 'Whether to open the browser (auto: not over SSH, unless a display is forwarded); over SSH with --server only' -r -f -a "auto\t''
always\t''
never\t''"
complete -c get-token -l timeout -d 'How long to wait for the browser\'s return' -r -f
complete -c get-token -l config -d 'Read this configuration file (else the one that M365AUTH_CONFIG names)' -r -F
complete -c get-token -l generate -d 'Print a man page (man, man-config), or completions (complete-bash, -elvish, -fish, -powershell, -zsh)' -r -f -a "man\t''
man-config\t''
complete-bash\t''
complete-elvish\t''
complete-fish\t''
complete-powershell\t''
complete-zsh\t''"
complete -c get-token -l server -d 'Wait for the browser even over SSH, as with `ssh -L 7598:localhost:7598`'
complete -c get-token -l device -d 'Sign in with a code, in a browser on any device'
complete -c get-token -l check -d 'Look whether everything works, from the configuration to the mail servers, instead of signing in'
complete -c get-token -l status -d 'Show what is stored and for how long it is good, of all profiles if none is named; no network'
complete -c get-token -l json -d 'With --status: as JSON'
complete -c get-token -l sign-out -d 'Forget the stored token'
complete -c get-token -s v -l verbose -d 'Say what is done, never a secret'
complete -c get-token -s h -l help -d 'Print help (see more with \'--help\')'
complete -c get-token -s V -l version -d 'Print version'
