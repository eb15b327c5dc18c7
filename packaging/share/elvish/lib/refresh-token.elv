
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
            cand -p 'What the token is for: a profile of the configuration'
            cand --profile 'What the token is for: a profile of the configuration'
            cand --format 'What to print: the token; XOAUTH2''s line for a mail server; or JSON with all that is known of the token'
            cand --user 'With --format xoauth2: whose mailbox (else the profile''s username, else who signed in)'
            cand --config 'Read this configuration file (else the one that M365AUTH_CONFIG names)'
            cand --generate 'Print a man page (man, man-config), or completions (complete-bash, -elvish, -fish, -powershell, -zsh)'
            cand --fresh 'Ask Microsoft for a new token, even if one is kept in memory'
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
