//! What every test needs: a person's home folder with its configuration, the stand-in for Microsoft, and the commands,
//! run as the person runs them.
#![allow(dead_code, reason = "each test binary uses its part")]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![allow(missing_docs, reason = "the names say it")]

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use standin::{ADA, Browser, PUBLIC_CLIENT_ID, Page, Standin};

/// A person's home: configuration, cache, and who plays Microsoft. Gone when it is dropped.
pub struct Home {
    folder: tempfile::TempDir,
    pub standin: Standin,
    pub callback_port: u16,
    /// Beside the few that every command gets.
    pub environment: Vec<(String, String)>,
}

/// What a command left behind.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Home {
    /// A home whose configuration names the stand-in, in a login without any keychain.
    pub fn new() -> Self {
        Self::with(Standin::start())
    }

    pub fn with(standin: Standin) -> Self {
        let folder = tempfile::Builder::new().prefix("m365auth-").tempdir().unwrap();
        let callback_port = free_port();
        // A session without a bus: the tests must never find the keychain of the user who runs them.
        let runtime = folder.path().join("runtime");
        fs::create_dir(&runtime).unwrap();
        let environment = vec![("XDG_RUNTIME_DIR".to_owned(), runtime.to_str().unwrap().to_owned())];
        let home = Self { folder, standin, callback_port, environment };
        home.configure(&home.configuration());
        home
    }

    /// The configuration of a new home: the refresh token is stored in a file, and no access token is cached, because most
    /// tests are about what Microsoft is asked.
    pub fn configuration(&self) -> String {
        format!(
            "client_id = '{PUBLIC_CLIENT_ID}'\nauthority = '{}'\nredirect_uri = 'https://localhost:{}/'\n\
             ca_file = '{}'\nstore = 'file'\ncache = 'none'\n",
            self.standin.authority(),
            self.callback_port,
            self.standin.ca_file().display(),
        )
    }

    /// The configuration that most people have: access tokens are kept in memory.
    pub fn configuration_with_memory(&self) -> String {
        self.configuration().replace("cache = 'none'\n", "")
    }

    pub fn configure(&self, text: &str) {
        let file = self.config_file();
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    /// The usual configuration, and these lines above it.
    pub fn configure_with(&self, lines: &str) {
        self.configure(&format!("{lines}\n{}", self.configuration()));
    }

    /// The usual configuration, without the line of this key.
    pub fn configuration_without(&self, key: &str) -> String {
        let start = format!("{key} = ");
        let text = self.configuration();
        text.lines().filter(|line| !line.starts_with(&start)).map(|line| format!("{line}\n")).collect()
    }

    /// The usual configuration with another `store`.
    pub fn configuration_with_store(&self, store: &str) -> String {
        self.configuration().replace("store = 'file'", &format!("store = {store}"))
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn config_file(&self) -> PathBuf {
        match () {
            () if cfg!(windows) => self.path().join(r"m365auth\m365auth\config.toml"),
            () if cfg!(target_os = "macos") => self.path().join("Library/Application Support/m365auth/config.toml"),
            () => self.path().join(".config/m365auth/config.toml"),
        }
    }

    pub fn cache(&self) -> PathBuf {
        match () {
            () if cfg!(windows) => self.path().join(r"m365auth\m365auth\Cache"),
            () if cfg!(target_os = "macos") => self.path().join("Library/Caches/m365auth"),
            () => self.path().join(".cache/m365auth"),
        }
    }

    pub fn token_file(&self, profile: &str) -> PathBuf {
        self.cache().join(format!("refresh_token_{profile}"))
    }

    /// The token in the file, if there is one.
    pub fn token_in_file(&self, profile: &str) -> Option<String> {
        fs::read_to_string(self.token_file(profile)).ok()
    }

    /// A refresh token as the Python original leaves it where there is no keychain: a file, and no record.
    pub fn store_token(&self, profile: &str) -> String {
        let token = self.standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA);
        self.put_token(profile, &token);
        token
    }

    pub fn put_token(&self, profile: &str, token: &str) {
        fs::create_dir_all(self.cache()).unwrap();
        fs::write(self.token_file(profile), token).unwrap();
        #[cfg(unix)]
        for (path, mode) in [(self.token_file(profile), 0o600), (self.cache(), 0o700)] {
            fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
        }
    }

    /// A command with nothing in its environment but this home.
    pub fn command(&self, name: &str) -> Command {
        let mut command = Command::new(binary(name));
        self.prepare(&mut command);
        command
    }

    /// Gives any program this home and nothing else.
    pub fn prepare(&self, command: &mut Command) {
        let programs = binary("refresh-token").parent().unwrap().to_owned();
        let path = std::env::join_paths([programs].into_iter().chain(std::env::split_paths(&path_variable()))).unwrap();
        command.env_clear().env("HOME", self.path()).env("PATH", path).stdin(Stdio::null());
        for name in ["LOCALAPPDATA", "APPDATA", "USERPROFILE"].iter().filter(|_| cfg!(windows)) {
            command.env(name, self.path());
        }
        for name in ["SystemRoot", "TEMP", "TMP", "LLVM_PROFILE_FILE"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
    }

    /// Runs a command to its end.
    pub fn run<I: AsRef<OsStr>>(&self, name: &str, arguments: impl IntoIterator<Item = I>) -> Run {
        finish(self.command(name).args(arguments))
    }

    /// `refresh-token`, without arguments.
    pub fn refresh(&self) -> Run {
        self.run("refresh-token", [""; 0])
    }

    /// A `get-token` that waits for a browser, which nobody opens.
    pub fn begin_sign_in(&self, arguments: &[&str]) -> SignIn {
        let mut command = self.command("get-token");
        SignIn::begin(command.args(["--browser", "never"]).args(arguments))
    }

    /// A `get-token` over SSH, which waits for an address from a pipe.
    pub fn begin_paste(&self, arguments: &[&str]) -> SignIn {
        let mut command = self.command("get-token");
        command.env("SSH_CONNECTION", "192.0.2.1 50000 192.0.2.2 22").stdin(Stdio::piped());
        SignIn::begin(command.args(arguments))
    }

    /// Signs in as Ada.
    pub fn sign_in(&self) -> Run {
        let sign_in = self.begin_sign_in(&[]);
        sign_in.approve(ADA);
        sign_in.finish()
    }
}

impl Run {
    /// The token that was printed, where the command did all that it promises.
    #[track_caller]
    pub fn token(&self) -> &str {
        assert_eq!(self.code, Some(0), "{self:?}");
        let token = self.stdout.strip_suffix('\n').expect("one newline at the end");
        assert!(!token.is_empty() && token.chars().all(|c| c.is_ascii_graphic()), "{self:?}");
        token
    }

    /// Asserts a failure with this exit code, nothing on stdout, an error and a hint; returns stderr.
    #[track_caller]
    pub fn fails_with(&self, code: i32) -> &str {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.stdout, "", "stdout stays empty on failure");
        assert!(self.stderr.contains("error: ") && self.stderr.contains("hint: "), "{self:?}");
        &self.stderr
    }
}

/// A `get-token` that waits.
pub struct SignIn {
    child: Child,
    words: BufReader<Box<dyn Read>>,
    said: String,
    /// Where the person signs in.
    pub address: String,
    /// The fingerprint that it showed.
    pub fingerprint: String,
}

impl SignIn {
    pub fn begin(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let words = child.stderr.take().unwrap();
        Self::read(child, Box::new(words))
    }

    /// Through a program that gives it a terminal: all words come on that program's stdout.
    pub fn begin_in_terminal(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let words = child.stdout.take().unwrap();
        Self::read(child, Box::new(words))
    }

    fn read(child: Child, words: Box<dyn Read>) -> Self {
        let mut stderr = BufReader::new(words);
        let (mut said, mut address, mut fingerprint) = (String::new(), String::new(), String::new());
        let mut waits = false;
        while !waits {
            let mut line = String::new();
            assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "it ended before it waited: {said}");
            if line.starts_with("https://") {
                address = line.trim().to_owned();
            }
            if line.trim().contains(':') && line.trim().chars().all(|c| c == ':' || c.is_ascii_hexdigit()) {
                fingerprint.push_str(line.trim());
            }
            said.push_str(&line);
            let last_lines = ["paste the address here", "`get-token --device`", "Nothing is shown while you paste"];
            waits = last_lines.iter().any(|last| line.contains(last));
        }
        Self { child, words: stderr, said, address, fingerprint }
    }

    /// The person approves in the browser; returns the last page.
    pub fn approve(&self, account: &str) -> Page {
        Browser::approve(&self.address, account, Some(&self.fingerprint)).unwrap()
    }

    pub fn decline(&self, account: &str) -> Page {
        Browser::decline(&self.address, account, Some(&self.fingerprint)).unwrap()
    }

    /// Writes into its stdin, which ends there.
    pub fn paste(&mut self, text: &str) {
        std::io::Write::write_all(&mut self.child.stdin.take().unwrap(), text.as_bytes()).unwrap();
    }

    /// What the person types.
    pub fn stdin(&mut self) -> &mut std::process::ChildStdin {
        self.child.stdin.as_mut().unwrap()
    }

    /// Waits until stderr contains this text.
    pub fn shows(&mut self, text: &str) {
        while !self.said.contains(text) {
            assert_ne!(self.words.read_line(&mut self.said).unwrap(), 0, "{text} in {}", self.said);
        }
    }

    pub fn process_id(&self) -> u32 {
        self.child.id()
    }

    pub fn finish(mut self) -> Run {
        let mut stdout = String::new();
        if let Some(mut output) = self.child.stdout.take() {
            output.read_to_string(&mut stdout).unwrap();
        }
        let mut stderr = std::mem::take(&mut self.said);
        self.words.read_to_string(&mut stderr).unwrap();
        Run { code: self.child.wait().unwrap().code(), stdout, stderr }
    }
}

impl Drop for SignIn {
    /// A sign-in that nobody finished ends with its test.
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// Runs a program to its end.
pub fn finish(command: &mut Command) -> Run {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// A command of the suite, as Cargo built it for this test.
pub fn binary(name: &str) -> PathBuf {
    PathBuf::from(match name {
        "get-token" => env!("CARGO_BIN_EXE_get-token"),
        "refresh-token" => env!("CARGO_BIN_EXE_refresh-token"),
        "get-refresh-token" => env!("CARGO_BIN_EXE_get-refresh-token"),
        other => panic!("no command is called {other}"),
    })
}

/// A port that is free on both addresses of localhost, and that no two tests get. Below the range from which the
/// system gives ports to outgoing connections.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = (std::process::id() % 190) as u16 * 100; // test binaries run at the same time
    for _ in 0..2000 {
        let port = 12_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 20_000;
        let free = |address: &str| TcpListener::bind((address, port)).is_ok();
        if free("127.0.0.1") && (free("::1") || TcpListener::bind(("::1", 0)).is_err()) {
            return port;
        }
    }
    panic!("no port is free");
}

/// Waits for something that no event announces, no longer than a person would.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < Duration::from_secs(20), "did not come: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn path_variable() -> std::ffi::OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

/// How many rounds a campaign has: few in a usual run, as many as `M365AUTH_TEST_ROUNDS` says in a long one.
pub fn rounds(usual: usize) -> usize {
    std::env::var("M365AUTH_TEST_ROUNDS").map_or(usual, |rounds| rounds.parse().expect("a number"))
}
