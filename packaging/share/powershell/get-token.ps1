
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'get-token' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'get-token'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'get-token' {
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'What the token is for: a profile of the configuration, "mail" if none is named; several for one sign-in that serves them all')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'What the token is for: a profile of the configuration, "mail" if none is named; several for one sign-in that serves them all')
            [CompletionResult]::new('--browser', '--browser', [CompletionResultType]::ParameterName, 'Whether to open the browser (auto: not over SSH, unless a display is forwarded); over SSH with --server only')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'How long to wait for the browser''s return')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Read this configuration file (else the one that M365AUTH_CONFIG names)')
            [CompletionResult]::new('--generate', '--generate', [CompletionResultType]::ParameterName, 'Print a man page (man, man-config), or completions (complete-bash, -elvish, -fish, -powershell, -zsh)')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Wait for the browser even over SSH, as with `ssh -L 7598:localhost:7598`')
            [CompletionResult]::new('--device', '--device', [CompletionResultType]::ParameterName, 'Sign in with a code, in a browser on any device')
            [CompletionResult]::new('--check', '--check', [CompletionResultType]::ParameterName, 'Look whether everything works, from the configuration to the mail servers, instead of signing in')
            [CompletionResult]::new('--status', '--status', [CompletionResultType]::ParameterName, 'Show what is stored and for how long it is good, of all profiles if none is named; no network')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'With --status: as JSON')
            [CompletionResult]::new('--sign-out', '--sign-out', [CompletionResultType]::ParameterName, 'Forget the stored token')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say what is done, never a secret')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say what is done, never a secret')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
