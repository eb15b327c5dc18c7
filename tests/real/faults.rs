//! The table of faults in `docs/evidence.md`: runs `refresh-token` with each fault, and checks exit code and
//! message.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::chown;
use std::process::{Command, Stdio};

use standin::Fault;

use crate::login::{Keyring, Login, program};
use crate::support::{Home, Run, binary, finish, free_port};

const TABLE: &str = include_str!("../../docs/evidence.md");
/// A user ID other than that of the tests.
const ANOTHER_USER: u32 = 54_321;

struct Row {
    fault: &'static str,
    exit: i32,
    /// Phrases that stderr contains.
    phrases: Vec<&'static str>,
}

fn rows() -> Vec<Row> {
    let table = TABLE.split_once("| fault | exit |").unwrap().1.split("\n\n").next().unwrap();
    let rows = table.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| ")?.trim_end_matches('|').split(" | ");
        let (fault, exit, stderr) = (cells.next()?.trim(), cells.next()?.trim(), cells.next().unwrap_or_default());
        Some(Row { fault, exit: exit.parse().unwrap(), phrases: stderr.split('`').skip(1).step_by(2).collect() })
    });
    rows.collect()
}

#[test]
#[ignore = "tests/run: gnome-keyring, faketime, strace"]
fn every_fault_in_the_table_has_the_documented_outcome() {
    assert!(rows().len() > 40);
    assert_outcomes(|fault| !needs_root(fault));
}

/// Returns whether the fault needs root, for mounts and files of other users. `as_root` runs these.
pub fn needs_root(fault: &str) -> bool {
    fault.contains("belongs to another user") || fault.contains("cache folder's disk") || fault.contains("is read-only")
}

pub fn assert_outcomes(wanted: impl Fn(&str) -> bool) {
    let rows = rows().into_iter().filter(|row| wanted(row.fault));
    let failed: Vec<&str> =
        rows.filter(|row| std::panic::catch_unwind(|| assert_outcome(row)).is_err()).map(|row| row.fault).collect();
    assert!(failed.is_empty(), "{failed:#?}");
}

fn assert_outcome(Row { fault, exit, phrases }: &Row) {
    let mut home = Home::new();
    home.configure_with("network_timeout = 1");
    home.store_token("mail");
    if fault.contains("id_token") {
        home.refresh().token(); // the account must be recorded
    }
    let stored = home.token_in_file("mail").unwrap();
    let mut login = None; // keeps the keychain running for the next call
    let run = provoke(fault, &mut home, &mut login);
    assert_eq!(run.code, Some(*exit), "{fault}: {run:?}");
    match exit {
        0 if run.stdout.is_empty() => assert!(fault.contains("nobody"), "{fault}: {run:?}"),
        0 => assert!(home.standin.is_valid_access_token(run.token()), "{fault}"),
        _ => _ = run.fails_with(*exit),
    }
    for phrase in phrases {
        assert!(run.stderr.contains(phrase), "{fault}: no {phrase:?} in {}", run.stderr);
    }
    if [75, 77, 78].contains(exit) {
        assert_eq!(home.token_in_file("mail"), Some(stored), "{fault}");
    }
    for secret in home.standin.issued_secrets() {
        assert!(!run.stderr.contains(&secret), "{fault}: a secret in {}", run.stderr);
    }
    home.standin.clear_faults();
    assert!(home.standin.is_valid_access_token(home.refresh().token()), "{fault}: the next call");
}

/// Runs `refresh-token` with this fault, and then removes the fault.
fn provoke(fault: &str, home: &mut Home, login: &mut Option<Login>) -> Run {
    if let Some(injected) = standin_faults(fault) {
        for fault in injected {
            home.standin.inject(fault);
        }
        return verbose(home);
    }
    match fault {
        "a host name that does not exist" => with_authority(home, "login.invalid", None),
        "a port on which no server listens" => with_authority(home, "localhost", Some(free_port())),
        "a certificate of an unknown authority" => configured(home, |text| {
            text.lines().filter(|line| !line.starts_with("ca_file")).collect::<Vec<_>>().join("\n")
        }),
        "a certificate for another host name" => {
            let port = relay(home.standin.port());
            with_authority(home, "127.0.0.2", Some(port))
        }
        "a certificate that has expired" => at_time(home, "+60d"),
        "the clock is two days behind" => at_time(home, "-2d"),
        "a proxy that refuses the connection" => {
            let proxy = proxy_that_refuses();
            finish(command(home).env("HTTPS_PROXY", format!("http://127.0.0.1:{proxy}")))
        }
        "the cache folder's disk is full" => on_a_small_disk(home, "cat /dev/zero >\"$CACHE/filler\" 2>/dev/null"),
        "the cache folder is read-only" => on_a_small_disk(home, "mount -o remount,ro \"$CACHE\""),
        "the cache folder belongs to another user" => owned_by_another(home, &home.cache()),
        "the token's file belongs to another user" => owned_by_another(home, &home.token_file("mail")),
        "the configuration belongs to another user" => owned_by_another(home, &home.config_file()),
        // No file may grow beyond 0 bytes. The signal SIGXFSZ is ignored, so the write fails instead.
        "the token's file cannot be written (file size limit)" => in_shell(home, "trap '' XFSZ; ulimit -f 0; exec"),
        "the token's file cannot be synced" => injected(home, "fsync:error=EIO"),
        "the token's file cannot be renamed" => injected(home, "rename,renameat,renameat2:error=EIO"),
        "the file system does not support locks" => injected(home, "flock:error=ENOLCK"),
        "another process holds the lock forever" => {
            let lock = std::fs::File::create(home.cache().join("lock_mail")).unwrap();
            lock.lock().unwrap();
            verbose(home)
        }
        "HOME is not set" => {
            let (config, cache) = (home.path().join(".config"), home.path().join(".cache"));
            let mut refresh = command(home);
            finish(refresh.env_remove("HOME").env("XDG_CONFIG_HOME", config).env("XDG_CACHE_HOME", cache))
        }
        "no file descriptor is left" => in_shell(home, "ulimit -n 7; exec"),
        "the keychain is locked" => with_keychain(home, login, |login| login.lock()),
        "the keychain does not respond" => with_keychain(home, login, |login| login.stop_responding()),
        "the keychain has stopped" => with_keychain(home, login, Login::end_keyring),
        "stdout is closed (nobody wants the token)" => in_shell(home, "exec >&-; exec"),
        "stdout is full" => in_shell(home, "exec >/dev/full; exec"),
        "stdout is a pipe that nobody reads" => {
            let (reader, writer) = std::io::pipe().unwrap();
            drop(reader);
            let child = command(home).stdout(writer).stderr(Stdio::piped()).spawn().unwrap();
            let output = child.wait_with_output().unwrap();
            let stderr = String::from_utf8(output.stderr).unwrap();
            Run { code: output.status.code(), stdout: String::new(), stderr }
        }
        unknown => panic!("no test for the fault \"{unknown}\""),
    }
}

/// Returns `refresh-token -v`, because the verbose output must not contain secrets either.
fn command(home: &Home) -> Command {
    let mut command = home.command("refresh-token");
    command.arg("-v");
    command
}

fn verbose(home: &Home) -> Run {
    finish(&mut command(home))
}

/// Returns the faults that the stand-in must inject; `None` if the fault is not one of Microsoft's.
fn standin_faults(fault: &str) -> Option<Vec<Fault>> {
    let status =
        |status, retry_after: Option<&str>| Fault::Status { status, retry_after: retry_after.map(str::to_owned) };
    let unavailable =
        || Fault::Aadsts { code: 0, error: "temporarily_unavailable".to_owned(), suberror: None, status: 400 };
    let five = |fault: Fault| vec![fault; 5];
    Some(match fault {
        "the server resets the connection once" => vec![Fault::Reset],
        "the response is lost once, after Microsoft granted the request" => vec![Fault::ResponseLost],
        "the response is cut off once" => vec![Fault::Truncated],
        "the response arrives byte by byte" => vec![Fault::ByteByByte],
        "503 once, with Retry-After" => vec![status(503, Some("0"))],
        "AADSTS50196 (throttled) once" => vec![Fault::aadsts(50_196)],
        "the response has no refresh token" => vec![Fault::NoRefreshToken],
        "the response has no id_token, or one that is not valid" => vec![Fault::BrokenIdToken],
        "the response has no lifetime" => vec![Fault::NoExpiresIn],
        "the lifetime in the response is a string" => vec![Fault::ExpiresInString],
        "the server never responds" => vec![Fault::Hang],
        "the server resets every connection" => five(Fault::Reset),
        "500, 502, 503, 504, 408 or 429, repeatedly" => {
            [500, 502, 503, 504, 408, 429].map(|code| status(code, None)).to_vec()
        }
        "503 with a Retry-After longer than the remaining time" => vec![status(503, Some("3600"))],
        "temporarily_unavailable, repeatedly" => five(unavailable()),
        "a captive portal's page" => vec![Fault::Html],
        "a redirect to another site" => vec![Fault::Redirect],
        "an empty response" => vec![Fault::Empty],
        "a response that is not JSON" => vec![Fault::NotJson],
        "a response of 8 MiB" => vec![Fault::Huge],
        "a response without an access token" => vec![Fault::NoAccessToken],
        "an access token of two lines" => vec![Fault::AccessToken("two\nlines".to_owned())],
        "Conditional Access blocks the request" => vec![Fault::aadsts(53_003)],
        "an error response full of control characters" => vec![Fault::HostileText],
        _ => return None,
    })
}

/// Runs the command with a changed configuration, and restores the original.
fn configured(home: &Home, change: impl FnOnce(&str) -> String) -> Run {
    let original = std::fs::read_to_string(home.config_file()).unwrap();
    home.configure(&change(&original));
    let run = verbose(home);
    home.configure(&original);
    run
}

fn with_authority(home: &Home, host: &str, port: Option<u16>) -> Run {
    let authority = match port {
        Some(port) => format!("https://{host}:{port}/common/"),
        None => format!("https://{host}/common/"),
    };
    configured(home, |text| text.replace(&home.standin.authority(), &authority))
}

/// Starts a relay to the stand-in on another loopback address, and returns its port.
fn relay(port: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.2:0").unwrap();
    let own = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        while let Ok((mut client, _)) = listener.accept() {
            let mut server = TcpStream::connect(("127.0.0.1", port)).unwrap();
            let (mut back, mut to) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut back, &mut to));
            _ = std::io::copy(&mut client, &mut server);
        }
    });
    own
}

fn proxy_that_refuses() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        while let Ok((mut client, _)) = listener.accept() {
            _ = client.read(&mut [0; 4096]);
            _ = client.write_all(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n");
        }
    });
    port
}

fn at_time(home: &Home, offset: &str) -> Run {
    let mut faketime = program("faketime", "faketime");
    home.prepare(&mut faketime);
    finish(faketime.args(["-f", offset]).arg(binary("refresh-token")).arg("-v"))
}

/// Runs the command with the cache folder on its own file system of 64 KiB, in a mount namespace. The stored token must
/// not change.
fn on_a_small_disk(home: &Home, damage: &str) -> Run {
    let mut unshare = program("unshare", "util-linux");
    home.prepare(&mut unshare);
    let script = format!(
        "set -e; token=$(cat \"$CACHE/refresh_token_mail\"); mount -t tmpfs -o size=64k,mode=700 tmpfs \"$CACHE\"
         (umask 077; printf %s \"$token\" >\"$CACHE/refresh_token_mail\"); {damage} || true
         '{}' -v || exit
         [ \"$(cat \"$CACHE/refresh_token_mail\")\" = \"$token\" ]",
        binary("refresh-token").display()
    );
    finish(unshare.env("CACHE", home.cache()).args(["--mount", "sh", "-c", &script]))
}

fn owned_by_another(home: &Home, path: &std::path::Path) -> Run {
    let own = std::os::unix::fs::MetadataExt::uid(&path.metadata().unwrap());
    chown(path, Some(ANOTHER_USER), None).expect("only root can give a file away");
    let run = verbose(home);
    chown(path, Some(own), None).unwrap();
    run
}

fn in_shell(home: &Home, before: &str) -> Run {
    let mut shell = Command::new("sh");
    home.prepare(&mut shell);
    finish(shell.args(["-c", &format!("{before} '{}' -v", binary("refresh-token").display())]))
}

fn injected(home: &Home, what: &str) -> Run {
    let mut strace = program("strace", "strace");
    home.prepare(&mut strace);
    finish(
        strace.args(["-f", "-o", "/dev/null", "-e", &format!("inject={what}")]).arg(binary("refresh-token")).arg("-v"),
    )
}

/// Runs the command with the token in a real keychain that is then made to fail. `next` is a new login session with the
/// keychain unlocked.
fn with_keychain(home: &mut Home, next: &mut Option<Login>, damage: impl FnOnce(&mut Login)) -> Run {
    let mut login = Login::start(home, Keyring::Gnome);
    home.refresh().token();
    assert_eq!(home.token_in_file("mail"), None, "the token is in the keychain");
    damage(&mut login);
    let run = verbose(home);
    drop(login);
    *next = Some(Login::start(home, Keyring::Gnome));
    run
}
