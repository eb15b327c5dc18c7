
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
            [CompletionResult]::new('-p', '-p', [CompletionResultType]::ParameterName, 'Profile to use [default: mail]')
            [CompletionResult]::new('--profile', '--profile', [CompletionResultType]::ParameterName, 'Profile to use [default: mail]')
            [CompletionResult]::new('--browser', '--browser', [CompletionResultType]::ParameterName, 'Whether to open a browser')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Time limit in seconds')
            [CompletionResult]::new('--config', '--config', [CompletionResultType]::ParameterName, 'Configuration file to use')
            [CompletionResult]::new('--generate', '--generate', [CompletionResultType]::ParameterName, 'Print a man page or shell completions')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'Wait for the browser even over SSH')
            [CompletionResult]::new('--device', '--device', [CompletionResultType]::ParameterName, 'Sign in with a code on any device')
            [CompletionResult]::new('--with-token', '--with-token', [CompletionResultType]::ParameterName, 'Store a refresh token from stdin')
            [CompletionResult]::new('--check', '--check', [CompletionResultType]::ParameterName, 'Test the whole setup instead of signing in')
            [CompletionResult]::new('--as-cron', '--as-cron', [CompletionResultType]::ParameterName, 'Test in the environment that cron sets')
            [CompletionResult]::new('--status', '--status', [CompletionResultType]::ParameterName, 'Show what is stored and when it expires')
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'Print --check or --status as JSON')
            [CompletionResult]::new('--sign-out', '--sign-out', [CompletionResultType]::ParameterName, 'Remove the stored token')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Verbose output; never shows secrets')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Verbose output; never shows secrets')
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
