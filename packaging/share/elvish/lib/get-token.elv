
use builtin;
use str;

set edit:completion:arg-completer[get-token] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'get-token'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'get-token'= {
            cand -p 'What the token is for: a profile of the configuration, "mail" if none is named; several for one sign-in that serves them all'
            cand --profile 'What the token is for: a profile of the configuration, "mail" if none is named; several for one sign-in that serves them all'
            cand --browser 'Whether to open the browser (auto: not over SSH, unless a display is forwarded); over SSH with --server only'
            cand --timeout 'How long to wait for the browser''s return'
            cand --config 'Read this configuration file (else the one that M365AUTH_CONFIG names)'
            cand --generate 'Print a man page (man, man-config), or completions (complete-bash, -elvish, -fish, -powershell, -zsh)'
            cand --server 'Wait for the browser even over SSH, as with `ssh -L 7598:localhost:7598`'
            cand --device 'Sign in with a code, in a browser on any device'
            cand --check 'Look whether everything works, from the configuration to the mail servers, instead of signing in'
            cand --status 'Show what is stored and for how long it is good, of all profiles if none is named; no network'
            cand --json 'With --status: as JSON'
            cand --sign-out 'Forget the stored token'
            cand -v 'Say what is done, never a secret'
            cand --verbose 'Say what is done, never a secret'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
    ]
    $completions[$command]
}
