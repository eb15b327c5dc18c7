complete -c get-token -s p -l profile -d 'Profile to use [default: mail]' -r -f
complete -c get-token -l browser -d 'Whether to open a browser' -r -f -a "auto\t''
always\t''
never\t''"
complete -c get-token -l timeout -d 'Time limit in seconds' -r -f
complete -c get-token -l config -d 'Configuration file to use' -r -F
complete -c get-token -l generate -d 'Print a man page or shell completions' -r -f -a "man\t''
man-config\t''
complete-bash\t''
complete-elvish\t''
complete-fish\t''
complete-powershell\t''
complete-zsh\t''"
complete -c get-token -l server -d 'Wait for the browser even over SSH'
complete -c get-token -l device -d 'Sign in with a code on any device'
complete -c get-token -l with-token -d 'Store a refresh token from stdin'
complete -c get-token -l check -d 'Test the whole setup instead of signing in'
complete -c get-token -l as-cron -d 'Test in the environment that cron sets'
complete -c get-token -l status -d 'Show what is stored and when it expires'
complete -c get-token -l json -d 'Print --check or --status as JSON'
complete -c get-token -l sign-out -d 'Remove the stored token'
complete -c get-token -s v -l verbose -d 'Verbose output; never shows secrets'
complete -c get-token -s h -l help -d 'Print help (see more with \'--help\')'
complete -c get-token -s V -l version -d 'Print version'
