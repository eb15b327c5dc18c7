
use builtin;
use str;

set edit:completion:arg-completer[get-refresh-token] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'get-refresh-token'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'get-refresh-token'= {
            cand -p 'Profile to use'
            cand --profile 'Profile to use'
            cand --config 'Configuration file to use'
            cand --generate 'Print a man page or shell completions'
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
