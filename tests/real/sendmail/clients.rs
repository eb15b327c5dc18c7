//! The mail programs that run sendmail, with the code blocks of docs/mail-programs.md: what Graph receives is exactly
//! what the program wrote.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use standin::ADA;

use super::{Setup, script};
use crate::document_blocks;
use crate::login::program;
use crate::support::{Run, finish};
use crate::tmux::Terminal;

const TEXT: &str = "Viele Gr\u{fc}\u{df}e\n.\nAda\n";
const HEADING: &str = "Sending where SMTP AUTH is disabled";

/// A setup that records the input of the script.
struct ClientSetup(Setup);

impl ClientSetup {
    fn new() -> Self {
        let mut setup = Setup::new();
        let programs = setup.home.path().join("programs");
        fs::create_dir(&programs).unwrap();
        let recorder = format!("#!/bin/sh\ntee \"$HOME/written\" | {} \"$@\"\n", script().display());
        fs::write(programs.join("m365-sendmail"), recorder).unwrap();
        fs::set_permissions(programs.join("m365-sendmail"), fs::Permissions::from_mode(0o755)).unwrap();
        let commands = crate::support::binary("refresh-token").parent().unwrap().to_owned();
        setup.set("PATH", &format!("{}:{}:/usr/local/bin:/usr/bin:/bin", programs.display(), commands.display()));
        setup.set("LANG", "C.UTF-8");
        setup.set("GIT_CONFIG_NOSYSTEM", "1");
        fs::create_dir(setup.home.path().join("Mail")).unwrap(); // Mutt offers to create it
        fs::write(setup.home.path().join("text"), TEXT).unwrap();
        fs::write(setup.home.path().join("zahlen.bin"), (0..=255).collect::<Vec<u8>>()).unwrap();
        Self(setup)
    }

    fn configure(&self, name: &str, language: &str, index: usize) {
        let block = document_blocks::block("docs/mail-programs.md", HEADING, language, index);
        fs::write(self.0.home.path().join(name), block).unwrap();
    }

    /// Returns a mail program that runs in the home folder, with a time limit.
    fn program(&self, name: &str, package: &str) -> Command {
        let mut command = program("timeout", "coreutils");
        self.0.home.prepare(&mut command);
        command.arg("30").arg(program(name, package).get_program()).current_dir(self.0.home.path());
        command
    }

    fn run(&self, command: &mut Command) -> Run {
        finish(command.stdin(fs::File::open(self.0.home.path().join("text")).unwrap()))
    }

    /// Returns the only message that Graph received, which must be what the program wrote, below this added text.
    #[track_caller]
    fn message_with(&self, added: &str) -> String {
        let sent = self.0.home.standin.sent_messages();
        assert_eq!(sent.len(), 1);
        let mut written = added.as_bytes().to_vec();
        written.extend(fs::read(self.0.home.path().join("written")).unwrap());
        assert!(sent[0] == written, "{}\nwas written, and Graph received\n{}", show(&written), show(&sent[0]));
        let text = show(&sent[0]);
        for recipient in ["grace@example.com", "charles@example.com", "secret@example.com"] {
            assert!(text.contains(recipient), "{recipient} in {text}");
        }
        text
    }
}

fn show(message: &[u8]) -> String {
    String::from_utf8_lossy(message).into_owned()
}

fn mutt_sends(name: &str, added: &str) {
    let setup = ClientSetup::new();
    setup.configure(&format!(".{name}rc"), "text", 0);
    let mut command = setup.program(name, name);
    command.args([
        "-s",
        "Gr\u{fc}\u{df}e",
        "-a",
        "zahlen.bin",
        "-c",
        "charles@example.com",
        "-b",
        "secret@example.com",
    ]);
    let run = setup.run(command.args(["--", "grace@example.com"]));
    assert_eq!(run.code, Some(0), "{run:?}");
    let message = setup.message_with(added);
    assert_eq!(message.matches("Bcc: secret@example.com\n").count(), 1, "{message}");
    assert!(message.contains("\nContent-Disposition: attachment; filename=\"zahlen.bin\"\n"), "{message}");
    // Both encode the text in ISO 8859-1, which can represent it.
    assert!(
        message.contains("charset=iso-8859-1\n") && message.contains("\nViele Gr\u{fffd}\u{fffd}e\n.\nAda\n"),
        "{message}"
    );
}

#[test]
#[ignore = "tests/run: curl and NeoMutt"]
fn neomutt_sends_a_message() {
    mutt_sends("neomutt", "");
}

/// Mutt 2.2 omits Bcc in a message that is sent from the command line, whatever `write_bcc` is.
#[test]
#[ignore = "tests/run: curl and Mutt"]
fn mutt_sends_a_message() {
    mutt_sends("mutt", "Bcc: secret@example.com\n");
}

/// Graph would send it to its first recipients a second time, and not to the recipient of the bounce.
#[test]
#[ignore = "tests/run: curl, Mutt and tmux"]
fn a_message_that_mutt_bounces_is_not_sent() {
    let setup = ClientSetup::new();
    setup.configure(".muttrc", "text", 0);
    let mailbox = setup.0.home.path().join("mailbox");
    let message =
        "From ada Fri Nov 27 10:00:00 2026\nFrom: ada@example.com\nTo: grace@example.com\nSubject: Old\n\nOld.\n";
    fs::write(&mailbox, message).unwrap();
    let terminal = Terminal::run(&setup.0.home, "(mutt -f \"$HOME/mailbox\" >/dev/tty)");
    terminal.shows("Old");
    terminal.types(&["b"]);
    terminal.shows("Bounce message to:");
    terminal.types(&["charles@example.com", "Enter"]);
    terminal.shows("?");
    terminal.types(&["y"]);
    terminal.shows("child exited 65");
    assert!(
        fs::read_to_string(setup.0.home.path().join("written")).unwrap().contains("Resent-To: charles@example.com")
    );
    assert_eq!(setup.0.sends(), 0);
}

#[test]
#[ignore = "tests/run: curl and git send-email"]
fn git_sends_a_patch() {
    let setup = ClientSetup::new();
    setup.configure(".gitconfig", "ini", 0);
    let repository = setup.0.home.path().join("repository");
    fs::create_dir(&repository).unwrap();
    let git = |arguments: &[&str]| {
        let run = finish(setup.program("git", "git git-email").current_dir(&repository).args(arguments));
        assert_eq!(run.code, Some(0), "{run:?}");
    };
    git(&["init", "--quiet"]);
    fs::write(repository.join("gr\u{fc}\u{df}e"), TEXT).unwrap();
    git(&["add", "."]);
    git(&["commit", "--quiet", "--message", "Gr\u{fc}\u{df}e von Ada"]);
    git(&["format-patch", "--quiet", "--attach", "-1", "--output", "0001.patch"]);
    let (cc, bcc) = ("--cc=J\u{fc}rgen <charles@example.com>", "--bcc=secret@example.com");
    let run = finish(setup.program("git", "git git-email").current_dir(&repository).args([
        "send-email",
        "--quiet",
        "--to=grace@example.com",
        cc,
        bcc,
        "0001.patch",
    ]));
    assert_eq!(run.code, Some(0), "{run:?}");
    // git names Bcc among the arguments only.
    let message = setup.message_with("Bcc: secret@example.com\n");
    assert!(message.contains("Content-Disposition: attachment;"), "{message}");
    assert!(message.contains("\nContent-Type: text/x-patch; name=\"0001-Gr-e-von-Ada.patch\"\n"), "{message}");
    assert!(message.contains("\n+Viele Gr\u{fc}\u{df}e\n"), "{message}");
}

#[test]
#[ignore = "tests/run: curl and bsd-mailx"]
fn mail_sends() {
    let setup = ClientSetup::new();
    let path = setup.0.home.path().join("programs/m365-sendmail").display().to_string();
    let block = document_blocks::block("docs/mail-programs.md", HEADING, "text", 1);
    let block = document_blocks::Adapt::with(block, "/usr/bin/m365-sendmail", &path);
    fs::write(setup.0.home.path().join(".mailrc"), block).unwrap();
    let mut command = setup.program("bsd-mailx", "bsd-mailx");
    command.args(["-r", ADA, "-s", "Gr\u{fc}\u{df}e", "-c", "charles@example.com", "-b", "secret@example.com"]);
    let run = setup.run(command.arg("grace@example.com"));
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(setup.message_with("").contains(TEXT));
}

/// As in the document.
#[test]
#[ignore = "tests/run: curl"]
fn a_message_in_a_file_is_sent() {
    let setup = ClientSetup::new();
    fs::write(setup.0.home.path().join("mail"), super::MESSAGE).unwrap();
    setup.configure("script", "sh", 0);
    let run = finish(setup.program("sh", "dash").arg("script"));
    assert_eq!(run.code, Some(0), "{run:?}");
    setup.message_with("");
}
