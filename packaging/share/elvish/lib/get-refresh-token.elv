
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
            cand -p 'What the token is for: a profile of the configuration'
            cand --profile 'What the token is for: a profile of the configuration'
            cand --config 'Read this configuration file (else the one that M365AUTH_CONFIG names)'
            cand --generate 'Print a man page (man, man-config), or completions (complete-bash, -elvish, -fish, -powershell, -zsh)'
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
