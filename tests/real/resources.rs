//! The system has no file descriptors or threads left.

use std::process::{Command, Stdio};

use standin::{ADA, Browser};

use crate::login::{Keyring, Login, program};
use crate::support::{Home, Run, binary, finish};
use crate::tmux::Terminal;

const NO_THREAD: &str = "clone,clone3:error=EAGAIN";

/// Returns a command that runs with an injected fault (strace(1)).
fn injected(home: &Home, fault: &str, name: &str, arguments: &[&str]) -> Command {
    let mut strace = program("strace", "strace");
    home.prepare(&mut strace);
    strace.args(["-f", "-o", "/dev/null", "-e", &format!("inject={fault}")]).arg(binary(name)).args(arguments);
    strace
}

fn assert_try_later(run: &Run) {
    let stderr = run.fails_with(75);
    assert!(stderr.contains("Resource temporarily unavailable") && stderr.contains("ulimit"), "{run:?}");
}

#[test]
#[ignore = "tests/run: tmux and strace"]
fn without_a_listener_the_redirect_url_can_be_pasted_into_the_terminal() {
    // Which thread is the listener's depends on what the command did before.
    let threads = (1..=9).map(|number| format!("clone,clone3:error=EAGAIN:when={number}"));
    let faults = [
        (vec!["listen:error=EMFILE:when=1".to_owned()], "Too many open files"),
        (threads.collect(), "Resource temporarily unavailable"),
    ];
    for (faults, reason) in faults {
        let home = Home::new();
        let mut has_fallen_back = false;
        for fault in faults {
            let line = format!("strace -f -o /dev/null -e inject={fault} get-token --browser never");
            let terminal = Terminal::run(&home, &line);
            if terminal.ends_before("state=") {
                terminal.ends_with(75);
                continue;
            }
            let redirect = Browser::redirect_url(&terminal.url(), ADA).unwrap();
            let text = terminal.words();
            has_fallen_back |= text.contains("warning: cannot listen for the redirect URI") && text.contains(reason);
            terminal.pastes(&redirect, true);
            terminal.types(&["Enter"]);
            terminal.ends_with(0);
            assert!(home.standin.is_valid_access_token(terminal.token().trim()), "{}", terminal.text());
            if has_fallen_back {
                break;
            }
        }
        assert!(has_fallen_back, "{reason}");
    }
}

#[test]
#[ignore = "tests/run: tmux and strace"]
fn without_any_thread_a_sign_in_in_a_terminal_exits_with_75() {
    for over_ssh in ["", "SSH_TTY=/dev/pts/0 "] {
        let home = Home::new();
        let line = format!("{over_ssh}strace -f -o /dev/null -e inject={NO_THREAD} get-token --browser never");
        let terminal = Terminal::run(&home, &line);
        terminal.ends_with(75);
    }
}

#[test]
#[ignore = "tests/run: strace"]
fn without_any_thread_every_command_exits_with_75() {
    let home = Home::new();
    home.store_token("mail");
    for arguments in [["--browser", "never"].as_slice(), &["--device"]] {
        assert_try_later(&finish(&mut injected(&home, NO_THREAD, "get-token", arguments)));
    }
    let over_ssh =
        |command: &mut Command| finish(command.env("SSH_TTY", "/dev/pts/0").stdin(std::io::pipe().unwrap().0));
    assert_try_later(&over_ssh(&mut injected(&home, NO_THREAD, "get-token", &[])));
    assert_try_later(&finish(&mut injected(&home, NO_THREAD, "refresh-token", &[])));
    home.refresh().token();
}

#[test]
#[ignore = "tests/run: gnome-keyring and strace"]
fn without_any_thread_a_keychain_or_a_program_exits_with_75() {
    let mut home = Home::new();
    let file = home.path().join("token");
    std::fs::write(&file, home.store_token("mail")).unwrap();
    let programs = format!("{{ load = ['cat', '{0}'], save = ['tee', '{0}'] }}", file.display());
    home.configure(&home.configuration_with_store(&programs));
    // The program itself, then the thread that reads its output.
    for number in [1, 2] {
        let fault = format!("{NO_THREAD}:when={number}");
        assert_try_later(&finish(&mut injected(&home, &fault, "get-refresh-token", &[])));
    }

    let _login = Login::start(&mut home, Keyring::Gnome);
    home.configure(&home.configuration_with_store("'auto'"));
    home.sign_in().token();
    for command in ["refresh-token", "get-refresh-token"] {
        assert_try_later(&finish(&mut injected(&home, NO_THREAD, command, &[])));
    }
    home.refresh().token();
}

#[test]
#[ignore = "tests/run: strace"]
fn without_a_thread_to_connect_to_a_bus_over_tcp_refresh_token_exits_with_69() {
    let home = Home::new();
    home.configure(&home.configuration_with_store("'keychain'"));
    let bus = "tcp:host=localhost,port=1";
    // strace counts the calls of each thread: the main thread goes on to query the keychain in its second one.
    let mut command = injected(&home, &format!("{NO_THREAD}:when=1"), "refresh-token", &[]);
    let run = finish(command.env("DBUS_SESSION_BUS_ADDRESS", bus));
    assert!(run.fails_with(69).contains("cannot start a thread"), "{run:?}");
}

#[test]
#[ignore = "tests/run: strace"]
fn if_threads_run_out_during_a_sign_in_it_exits_with_75() {
    let home = Home::new();
    for first in 1..=9 {
        let fault = format!("{NO_THREAD}:when={first}+");
        for stdin in [Stdio::null(), Stdio::from(std::io::pipe().unwrap().0)] {
            let mut get_token = injected(&home, &fault, "get-token", &["--browser", "always", "--timeout", "1"]);
            finish(get_token.env("BROWSER", "true").stdin(stdin)).fails_with(75);
        }
    }
}
