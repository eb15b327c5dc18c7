//! Man pages in `man`, and completions in the shells.

use std::path::{Path, PathBuf};

use crate::login::program;
use crate::support::{Home, Run, finish};
use crate::tmux::Terminal;

const COMMANDS: [&str; 3] = ["get-token", "refresh-token", "get-refresh-token"];

/// Writes what a command generates into a file in the home folder, and returns its path.
fn generated(home: &Home, command: &str, kind: &str) -> PathBuf {
    let file = home.path().join(format!("{command}.{kind}"));
    let run = home.run(command, ["--generate", kind]);
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{command} {kind}");
    std::fs::write(&file, run.stdout).unwrap();
    file
}

fn in_home(home: &Home, shell: &str, arguments: &[&str]) -> Run {
    let mut command = program(shell, shell);
    home.prepare(&mut command);
    finish(command.args(arguments))
}

#[track_caller]
fn shown_by_man(home: &Home, page: &Path) -> String {
    let mut man = program("man", "man-db");
    home.prepare(&mut man);
    let run =
        finish(man.env("MANWIDTH", "80").env("LC_ALL", "C.UTF-8").args(["--warnings=w", "--local-file"]).arg(page));
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{}", page.display());
    run.stdout
}

#[test]
#[ignore = "tests/run: man"]
fn each_man_page_has_no_warning_and_every_flag_of_help() {
    let home = Home::new();
    for command in COMMANDS {
        let page = shown_by_man(&home, &generated(&home, command, "man"));
        let help = home.run(command, ["--help"]).stdout;
        let flags: Vec<&str> = help.split_whitespace().filter(|word| word.starts_with("--")).collect();
        assert!(flags.len() > 5, "{help}");
        for flag in flags {
            assert!(page.contains(flag), "no {flag} in\n{page}");
        }
        for section in ["NAME", "SYNOPSIS", "EXAMPLES", "EXIT STATUS", "ENVIRONMENT", "FILES", "SEE ALSO"] {
            assert!(page.lines().any(|line| line == section), "no {section} in\n{page}");
        }
        let page = shown_by_man(&home, &generated(&home, command, "man-config"));
        assert!(page.contains("on_sign_in_needed") && page.contains("[profiles.tasks]"), "{page}");
    }
}

/// Types the start of a flag and of its value, each followed by Tab.
#[track_caller]
fn completes_in(home: &Home, shell: &str) {
    let terminal = Terminal::run(home, shell);
    terminal.shows("ready>");
    terminal.types(&["get-token --pro", "Tab"]);
    terminal.shows("get-token --profile");
    terminal.types(&[" mail --browser al", "Tab"]);
    terminal.shows("mail --browser always");
}

#[test]
#[ignore = "tests/run: bash, tmux"]
fn bash_completes() {
    let home = Home::new();
    let file = generated(&home, "get-token", "complete-bash");
    std::fs::write(home.path().join("rc"), format!("PS1='ready> '\nsource {}\n", file.display())).unwrap();
    completes_in(&home, "bash --rcfile ~/rc -i");
}

#[test]
#[ignore = "tests/run: zsh, tmux"]
fn zsh_completes() {
    let home = Home::new();
    let functions = home.path().join("functions");
    std::fs::create_dir(&functions).unwrap();
    std::fs::rename(generated(&home, "get-token", "complete-zsh"), functions.join("_get-token")).unwrap();
    let start = "PS1='ready> '\nfpath=(~/functions $fpath)\nautoload -U compinit && compinit -u -D\n";
    std::fs::write(home.path().join(".zshrc"), start).unwrap();
    completes_in(&home, "zsh -i");
}

#[test]
#[ignore = "tests/run: elvish, tmux"]
fn elvish_completes() {
    let home = Home::new();
    let file = generated(&home, "get-token", "complete-elvish");
    let start = format!("set edit:prompt = {{ put 'ready> ' }}\neval (slurp < {})\n", file.display());
    std::fs::write(home.path().join("rc.elv"), start).unwrap();
    let terminal = Terminal::run(&home, "elvish -rc ~/rc.elv");
    terminal.shows("ready>");
    terminal.types(&["get-token --pro", "Tab"]);
    terminal.shows("get-token --profile");
}

#[test]
#[ignore = "tests/run: fish"]
fn fish_completes() {
    let home = Home::new();
    for (command, typed, offered) in [
        ("refresh-token", "refresh-token --fo", "--format\t"),
        ("get-token", "get-token --browser a", "always\nauto\n"),
        ("get-refresh-token", "get-refresh-token --pr", "--profile\t"),
    ] {
        let file = generated(&home, command, "complete-fish");
        let line = format!("source {}; complete -C '{typed}'", file.display());
        let run = in_home(&home, "fish", &["--no-config", "-c", &line]);
        assert!(run.stdout.starts_with(offered), "{run:?}");
    }
}

/// Runs only where PowerShell is installed, as on GitHub's runners. Debian does not package it.
#[test]
#[ignore = "tests/run: PowerShell, if it is installed"]
#[allow(clippy::disallowed_macros, reason = "reports that the test was skipped")]
fn powershell_completes() {
    let home = Home::new();
    let file = generated(&home, "refresh-token", "complete-powershell");
    if !std::env::split_paths(&std::env::var_os("PATH").unwrap()).any(|folder| folder.join("pwsh").is_file()) {
        return eprintln!("skipped: PowerShell is not installed");
    }
    let typed = "refresh-token --fo";
    let line =
        format!(". {}; (TabExpansion2 '{typed}' {}).CompletionMatches.CompletionText", file.display(), typed.len());
    let run = in_home(&home, "pwsh", &["-NoProfile", "-NonInteractive", "-Command", &line]);
    assert_eq!(run.stdout.trim(), "--format", "{run:?}");
}
