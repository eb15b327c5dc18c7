
use builtin;
use str;

set edit:completion:arg-completer[refresh-token] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'refresh-token'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'refresh-token'= {
            cand -p 'Profile to use'
            cand --profile 'Profile to use'
            cand --format 'Output format'
            cand --user 'Mailbox for --format xoauth2'
            cand --config 'Configuration file to use'
            cand --generate 'Print a man page or shell completions'
            cand --fresh 'Ignore the cached token'
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
