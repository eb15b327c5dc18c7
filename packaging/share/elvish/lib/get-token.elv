
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
            cand -p 'Profile to use [default: mail]'
            cand --profile 'Profile to use [default: mail]'
            cand --browser 'Whether to open a browser'
            cand --timeout 'Time limit in seconds'
            cand --config 'Configuration file to use'
            cand --generate 'Print a man page or shell completions'
            cand --server 'Wait for the browser even over SSH'
            cand --device 'Sign in with a code on any device'
            cand --with-token 'Store a refresh token from stdin'
            cand --check 'Test the whole setup instead of signing in'
            cand --as-cron 'Test in the environment that cron sets'
            cand --status 'Show what is stored and when it expires'
            cand --json 'Print --check or --status as JSON'
            cand --sign-out 'Remove the stored token'
            cand -v 'Verbose output; never shows secrets'
            cand --verbose 'Verbose output; never shows secrets'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
        }
    ]
    $completions[$command]
}
