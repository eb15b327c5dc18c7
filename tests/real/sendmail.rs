//! `contrib/m365-sendmail` in every common shell, with the stand-in's Graph, which keeps the bytes that it accepted.

mod clients;
mod recipients;
mod refusals;
mod token;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use standin::ADA;

use crate::login::program;
use crate::support::{Home, Run, finish};

/// The shells that are `sh` in Debian, Arch Linux and Alpine, and one without a builtin `printf`.
const SHELLS: [&str; 4] = ["dash", "bash", "busybox", "mksh"];

/// A message with umlauts, an attachment and a hidden recipient.
pub const MESSAGE: &str = "From: Ada L\u{f6}velace <ada@example.com>\nTo: =?utf-8?q?J=C3=BCrgen?= <grace@example.com>\n\
    Cc: \"Babbage, Charles\" <charles@example.com>\nBcc: secret@example.com\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n\
    MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=\"next part\"\n\n--next part\n\
    Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nViele Gr\u{fc}\u{df}e\n.\nAda\n\n\
    --next part\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\
    Content-Disposition: attachment; filename=\"zahlen\"\n\nAAECAwQFBgcICf/+/fz7+g==\n--next part--\n";
const RECIPIENTS: [&str; 3] = ["grace@example.com", "charles@example.com", "secret@example.com"];

/// A home whose profile `send` is signed in as Ada.
struct Setup {
    home: Home,
    /// Where the script creates its temporary files.
    temporary: PathBuf,
}

impl Setup {
    fn new() -> Self {
        let home = Home::new();
        home.store_token("send");
        let temporary = home.path().join("temporary");
        fs::create_dir(&temporary).unwrap();
        let mut setup = Self { home, temporary };
        let ca_file = setup.home.standin.ca_file().display().to_string();
        let graph = format!("localhost:{}", setup.home.standin.port());
        let temporary = setup.temporary.display().to_string();
        for (name, value) in [("CURL_CA_BUNDLE", ca_file), ("M365AUTH_GRAPH_HOST", graph), ("TMPDIR", temporary)] {
            setup.set(name, &value);
        }
        setup
    }

    fn set(&mut self, name: &str, value: &str) {
        self.home.environment.retain(|(other, _)| other != name);
        self.home.environment.push((name.to_owned(), value.to_owned()));
    }

    /// Returns the script, run by this shell.
    fn script(&self, shell: &str) -> Command {
        let mut command = program(shell, shell);
        self.home.prepare(&mut command);
        match shell {
            "bash" => _ = command.arg("--posix"), // as it does if its name is sh
            "busybox" => _ = command.arg("sh"),
            _ => {}
        }
        command.arg(script());
        command
    }

    fn send_with(&self, shell: &str, arguments: &[&str], message: &[u8]) -> Run {
        let file = self.home.path().join("message");
        fs::write(&file, message).unwrap();
        let mut command = self.script(shell);
        let run = finish(command.args(arguments).stdin(fs::File::open(file).unwrap()));
        assert_eq!(run.stdout, "", "{shell}: {run:?}");
        assert_eq!(files(&self.temporary), [""; 0], "{shell}: the temporary files are removed");
        run
    }

    fn send(&self, arguments: &[&str], message: &str) -> Run {
        self.send_with("dash", arguments, message.as_bytes())
    }

    /// Sends the message and returns what Graph received.
    #[track_caller]
    fn sent(&self, arguments: &[&str], message: &str) -> String {
        let before = self.home.standin.sent_messages().len();
        let run = self.send(arguments, message);
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{message}");
        let sent = self.home.standin.sent_messages();
        assert_eq!(sent.len(), before + 1);
        String::from_utf8(sent.last().unwrap().clone()).unwrap()
    }

    fn sends(&self) -> usize {
        self.home.standin.requests().iter().filter(|request| request.path == "/v1.0/me/sendMail").count()
    }
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("contrib/m365-sendmail")
}

/// Returns the names of what is in a folder.
fn files(folder: &Path) -> Vec<String> {
    folder.read_dir().unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
#[ignore = "tests/run: curl, busybox and mksh"]
fn graph_receives_exactly_the_bytes_of_the_message_from_every_shell() {
    let setup = Setup::new();
    let lines: String = (0..40_000).map(|line| format!("line {line} of a long text, to 2 MB in all\n")).collect();
    let long = format!("From: {ADA}\nTo: {}\n\n{lines}no line feed at the end", RECIPIENTS[0]);
    for shell in SHELLS {
        for (arguments, message) in [
            (&["-oi", "-f", ADA, "--", RECIPIENTS[0], RECIPIENTS[1], RECIPIENTS[2]][..], MESSAGE.to_owned()),
            (&["-i", "-t"], MESSAGE.replace('\n', "\r\n")),
            (&["-t"], long.clone()),
        ] {
            let run = setup.send_with(shell, arguments, message.as_bytes());
            assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{shell}");
            assert!(setup.home.standin.sent_messages().pop().unwrap() == message.as_bytes(), "{shell} {arguments:?}");
        }
    }
}

/// As Mutt and NeoMutt do, so that no shell may depend on SIGCHLD.
#[test]
#[ignore = "tests/run: curl, busybox and mksh"]
fn a_caller_can_block_signals() {
    let setup = Setup::new();
    setup.home.standin.inject_into_graph(standin::Fault::Status { status: 503, retry_after: Some("0".to_owned()) });
    for shell in SHELLS {
        let script = setup.script(shell);
        let mut command = program("timeout", "coreutils");
        setup.home.prepare(&mut command);
        command
            .args(["20", "env", "--block-signal=CHLD,HUP,INT,TERM"])
            .arg(script.get_program())
            .args(script.get_args());
        let file = setup.home.path().join("message");
        fs::write(&file, MESSAGE).unwrap();
        let run = finish(command.arg("-t").stdin(fs::File::open(file).unwrap()));
        assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""), "{shell}");
    }
    assert_eq!(setup.home.standin.sent_messages().len(), SHELLS.len());
}

/// As on Alpine.
#[test]
#[ignore = "tests/run: curl and busybox"]
fn the_programs_of_busybox_are_enough() {
    let mut setup = Setup::new();
    let programs = setup.home.path().join("busybox");
    fs::create_dir(&programs).unwrap();
    let busybox = program("busybox", "busybox").get_program().to_owned();
    for name in
        ["awk", "base64", "cat", "cmp", "head", "mkfifo", "mktemp", "printf", "rm", "sed", "sleep", "tail", "tr", "wc"]
    {
        std::os::unix::fs::symlink(&busybox, programs.join(name)).unwrap();
    }
    let curl = program("curl", "curl").get_program().to_owned();
    std::os::unix::fs::symlink(curl, programs.join("curl")).unwrap();
    std::os::unix::fs::symlink(crate::support::binary("refresh-token"), programs.join("refresh-token")).unwrap();
    setup.set("PATH", &programs.display().to_string());
    setup.home.standin.inject_into_graph(standin::Fault::Status { status: 503, retry_after: Some("0".to_owned()) });
    let run = setup.send_with("busybox", &["-t", "bob@example.com"], MESSAGE.as_bytes());
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
    let sent = String::from_utf8(setup.home.standin.sent_messages().pop().unwrap()).unwrap();
    let bcc = "Bcc: secret@example.com";
    assert_eq!(sent, format!("{bcc},\n bob@example.com\n{}", MESSAGE.replace(&format!("{bcc}\n"), "")));
    assert_eq!(setup.send_with("busybox", &["bob@example.com"], MESSAGE.as_bytes()).code, Some(65));
    assert_eq!(setup.send_with("busybox", &["bob"], MESSAGE.as_bytes()).code, Some(64));
    assert_eq!((setup.home.standin.sent_messages().len(), setup.sends()), (1, 2));
}

/// If another job ends while busybox opens a pipe, the opening is interrupted (EINTR), and busybox does not repeat it.
#[test]
#[ignore = "tests/run: busybox"]
fn in_busybox_a_job_that_ends_does_not_interrupt_the_next() {
    let script = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/m365-sendmail")).unwrap();
    let finish = script.split_once("finish() {").and_then(|(_, rest)| rest.split_once("\n}\n")).unwrap().0;
    let folder = tempfile::tempdir().unwrap();
    let shell = format!(
        "folder=$PWD\nmkfifo done\nfinish() {{{finish}\n}}\ntrap 'exit 143' TERM\n\
         for round in $(seq 50); do\n\
         (sleep 0.01) & # ends while the pipe is opened\n\
         {{ sleep 0.02; printf ok >done; }} &\nfinish\n\
         [ \"$result\" = ok ] || {{ cat done; exit 1; }} # lets the job end\ndone\n"
    );
    let mut busybox = program("timeout", "coreutils");
    busybox.arg("20").arg(program("busybox", "busybox").get_program()).args(["sh", "-c", &shell]);
    let run = crate::support::finish(busybox.current_dir(folder.path()));
    assert_eq!((run.code, run.stderr.as_str()), (Some(0), ""));
}

/// At the second moment, the token has been written to the pipe to curl.
#[test]
#[ignore = "tests/run: curl, busybox and mksh"]
fn a_signal_removes_the_temporary_files_which_only_the_user_can_read() {
    for shell in SHELLS {
        for (signal, code) in [("HUP", 129), ("INT", 130), ("TERM", 143)] {
            for is_complete in [false, true] {
                let setup = Setup::new();
                setup.home.standin.inject_into_graph(standin::Fault::Hang);
                let mut command = setup.script(shell);
                let mut child = command.arg("-t").stdin(Stdio::piped()).spawn().unwrap();
                let mut stdin = child.stdin.take();
                std::io::Write::write_all(stdin.as_mut().unwrap(), MESSAGE.as_bytes()).unwrap();
                if is_complete {
                    stdin.take();
                }
                let message = || Some(setup.temporary.join(files(&setup.temporary).pop()?).join("message"));
                crate::support::eventually("the message", || {
                    let length = message().and_then(|file| file.metadata().ok()).map_or(0, |file| file.len());
                    length == MESSAGE.len() as u64 && setup.sends() == usize::from(is_complete)
                });
                let folder = message().unwrap().parent().unwrap().to_owned();
                for name in files(&folder) {
                    let mode = folder.join(&name).metadata().unwrap().permissions().mode();
                    assert_eq!(mode & 0o777, 0o600, "{name}");
                }
                assert_eq!(folder.metadata().unwrap().permissions().mode() & 0o777, 0o700);
                // Repeated until it ends, because a shell misses a signal that comes just before it begins to read.
                let mut status = None;
                crate::support::eventually("the end of the script", || {
                    let killed = Command::new("kill").args(["-s", signal, &child.id().to_string()]).status();
                    assert!(killed.unwrap().success());
                    status = child.try_wait().unwrap();
                    status.is_some()
                });
                assert_eq!(status.unwrap().code(), Some(code), "{shell} {signal} {is_complete}");
                drop(stdin);
                assert_eq!(files(&setup.temporary), [""; 0], "{shell} {signal} {is_complete}");
            }
        }
    }
}

#[test]
#[ignore = "tests/run: shellcheck"]
fn shellcheck_finds_nothing() {
    let run = finish(program("shellcheck", "shellcheck").arg("--shell=sh").arg(script()));
    assert_eq!((run.code, run.stdout.as_str()), (Some(0), ""));
}
