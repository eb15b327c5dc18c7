//! What every test needs: a home folder with a configuration, the stand-in for Microsoft, and the commands, run as a
//! user runs them.
#![allow(dead_code, reason = "each test binary uses a part of it")]
#![allow(clippy::unwrap_used, reason = "a panic fails the test")]
#![allow(missing_docs, reason = "the names are enough")]

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use standin::{ADA, Browser, PUBLIC_CLIENT_ID, Page, Standin};

/// A user's home folder with configuration and cache, and a stand-in for Microsoft. Dropping it removes the folder and
/// its cached access tokens.
pub struct Home {
    folder: tempfile::TempDir,
    pub standin: Standin,
    pub callback_port: u16,
    /// Environment variables in addition to those that every command gets.
    pub environment: Vec<(String, String)>,
}

/// The result of a command.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Drop for Home {
    fn drop(&mut self) {
        #[cfg(target_os = "linux")]
        remove_cached_tokens(self.path());
    }
}

/// Removes this home's keys from the kernel keyring. All keys of a user share a quota of 20,000 bytes, so those of a
/// test that failed would fail the next ones.
#[cfg(target_os = "linux")]
fn remove_cached_tokens(home: &Path) {
    use linux_keyutils::{Key, KeyRing, KeyRingIdentifier, KeySerialId};
    let Ok(keyring) = KeyRing::from_special_id(KeyRingIdentifier::User, false) else { return };
    let keys = fs::read_to_string("/proc/keys").unwrap_or_default();
    for line in keys.lines().filter(|line| line.contains(&*home.to_string_lossy())) {
        let id = line.split_whitespace().next().and_then(|id| i32::from_str_radix(id, 16).ok());
        _ = id.map(|id| keyring.unlink_key(Key::from_id(KeySerialId::new(id))));
    }
}

impl Home {
    /// Creates a home that is configured for the stand-in, in a login session without a keychain.
    pub fn new() -> Self {
        Self::with(Standin::start())
    }

    pub fn with(standin: Standin) -> Self {
        let folder = tempfile::Builder::new().prefix("m365auth-").tempdir().unwrap();
        let callback_port = free_port();
        // A session without a bus, so that the tests never find the developer's own keychain.
        let runtime = folder.path().join("runtime");
        fs::create_dir(&runtime).unwrap();
        let environment = vec![("XDG_RUNTIME_DIR".to_owned(), runtime.to_str().unwrap().to_owned())];
        let home = Self { folder, standin, callback_port, environment };
        home.configure(&home.configuration());
        home
    }

    /// Returns the default configuration: the refresh token is stored in a file, and no access token is cached, because
    /// most tests are about requests to Microsoft.
    pub fn configuration(&self) -> String {
        format!(
            "client_id = '{PUBLIC_CLIENT_ID}'\nauthority = '{}'\nredirect_uri = 'https://localhost:{}/'\n\
             ca_file = '{}'\nstore = 'file'\ncache = 'none'\n",
            self.standin.authority(),
            self.callback_port,
            self.standin.ca_file().display(),
        )
    }

    /// Returns the default configuration with the access token cache, as most users have it.
    pub fn configuration_with_memory(&self) -> String {
        self.configuration().replace("cache = 'none'\n", "")
    }

    pub fn configure(&self, text: &str) {
        let file = self.config_file();
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    /// Writes the default configuration with these lines above it.
    pub fn configure_with(&self, lines: &str) {
        self.configure(&format!("{lines}\n{}", self.configuration()));
    }

    /// Returns the default configuration without the line of this key.
    pub fn configuration_without(&self, key: &str) -> String {
        let prefix = format!("{key} = ");
        let text = self.configuration();
        text.lines().filter(|line| !line.starts_with(&prefix)).map(|line| format!("{line}\n")).collect()
    }

    /// Returns the default configuration with another `store`.
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

    /// Returns the token in the file, if there is one.
    pub fn token_in_file(&self, profile: &str) -> Option<String> {
        fs::read_to_string(self.token_file(profile)).ok()
    }

    /// Stores a refresh token as the Python tool does without a keychain: in a file, without a record.
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

    /// Returns a command of the suite, prepared with [`Home::prepare`].
    pub fn command(&self, name: &str) -> Command {
        let mut command = Command::new(binary(name));
        self.prepare(&mut command);
        command
    }

    /// Clears a program's environment, and sets this home and the few variables that a program needs.
    pub fn prepare(&self, command: &mut Command) {
        let commands = binary("refresh-token").parent().unwrap().to_owned();
        let path = std::env::join_paths([commands].into_iter().chain(std::env::split_paths(&path_variable()))).unwrap();
        command.env_clear().env("HOME", self.path()).env("PATH", path).stdin(Stdio::null());
        for name in ["LOCALAPPDATA", "APPDATA", "USERPROFILE"].iter().filter(|_| cfg!(windows)) {
            command.env(name, self.path());
        }
        for name in ["SystemRoot", "TEMP", "TMP", "LLVM_PROFILE_FILE"] {
            command.envs(std::env::var_os(name).map(|value| (name, value)));
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
    }

    /// Runs a command of the suite to completion.
    pub fn run<I: AsRef<OsStr>>(&self, name: &str, arguments: impl IntoIterator<Item = I>) -> Run {
        finish(self.command(name).args(arguments))
    }

    /// Uses a proxy that accepts connections and never responds, until the returned listener is dropped.
    pub fn use_silent_proxy(&mut self) -> TcpListener {
        let proxy = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = proxy.local_addr().unwrap();
        self.environment.push(("HTTPS_PROXY".to_owned(), format!("http://{address}")));
        proxy
    }

    /// Runs `refresh-token` without arguments.
    pub fn refresh(&self) -> Run {
        self.run("refresh-token", [""; 0])
    }

    /// Starts a `get-token` that waits for the callback and opens no browser.
    pub fn begin_sign_in(&self, arguments: &[&str]) -> SignIn {
        let mut command = self.command("get-token");
        SignIn::begin(command.args(["--browser", "never"]).args(arguments))
    }

    /// Starts a `get-token` over SSH, which waits for a URL on stdin, a pipe.
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
    /// Asserts success and returns the printed token.
    #[track_caller]
    pub fn token(&self) -> &str {
        assert_eq!(self.code, Some(0), "{self:?}");
        let token = self.stdout.strip_suffix('\n').expect("stdout ends with a newline");
        assert!(!token.is_empty() && token.chars().all(|c| c.is_ascii_graphic()), "{self:?}");
        token
    }

    /// Asserts a failure with this exit code, an empty stdout, and an error and a hint on stderr. Returns stderr.
    #[track_caller]
    pub fn fails_with(&self, code: i32) -> &str {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.stdout, "", "stdout stays empty on failure");
        assert!(self.stderr.contains("error: ") && self.stderr.contains("hint: "), "{self:?}");
        &self.stderr
    }
}

/// A `get-token` that waits for the user.
pub struct SignIn {
    child: Child,
    stderr: BufReader<Box<dyn Read>>,
    /// What was read from `stderr` so far.
    seen: String,
    /// URL of the sign-in page.
    pub url: String,
    /// Fingerprint of the callback's certificate, as shown.
    pub fingerprint: String,
}

impl SignIn {
    pub fn begin(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = child.stderr.take().unwrap();
        Self::read(child, Box::new(stderr))
    }

    /// Starts `get-token` through a program that provides a terminal and passes all output to its stdout.
    pub fn begin_in_terminal(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let stdout = child.stdout.take().unwrap();
        Self::read(child, Box::new(stdout))
    }

    fn read(child: Child, output: Box<dyn Read>) -> Self {
        let mut stderr = BufReader::new(output);
        let (mut seen, mut url, mut fingerprint) = (String::new(), String::new(), String::new());
        let mut waits = false;
        while !waits {
            let mut line = String::new();
            assert_ne!(stderr.read_line(&mut line).unwrap(), 0, "get-token ended before it waited: {seen}");
            // A terminal gets a link, whose text follows its target (OSC 8).
            let text = line.split_once("\x1b\\").map_or(line.as_str(), |(_, text)| text);
            if text.starts_with("https://") {
                url = text.trim().split('\x1b').next().unwrap().to_owned();
            }
            if line.trim().contains(':') && line.trim().chars().all(|c| c == ':' || c.is_ascii_hexdigit()) {
                fingerprint.push_str(line.trim());
            }
            seen.push_str(&line);
            let last_lines = ["paste its URL here", " --device --profile ", "Nothing is shown while you paste"];
            waits = last_lines.iter().any(|last| line.contains(last));
        }
        Self { child, stderr, seen, url, fingerprint }
    }

    /// Approves in the browser. Returns the final page.
    pub fn approve(&self, account: &str) -> Page {
        Browser::approve(&self.url, account, Some(&self.fingerprint)).unwrap()
    }

    pub fn decline(&self, account: &str) -> Page {
        Browser::decline(&self.url, account, Some(&self.fingerprint)).unwrap()
    }

    /// Writes the text to its stdin and closes it.
    pub fn paste(&mut self, text: &str) {
        std::io::Write::write_all(&mut self.child.stdin.take().unwrap(), text.as_bytes()).unwrap();
    }

    /// Returns its stdin, for what the user types.
    pub fn stdin(&mut self) -> &mut std::process::ChildStdin {
        self.child.stdin.as_mut().unwrap()
    }

    /// Waits until stderr contains this text.
    pub fn shows(&mut self, text: &str) {
        while !self.seen.contains(text) {
            assert_ne!(self.stderr.read_line(&mut self.seen).unwrap(), 0, "{text} in {}", self.seen);
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
        let mut stderr = std::mem::take(&mut self.seen);
        self.stderr.read_to_string(&mut stderr).unwrap();
        Run { code: self.child.wait().unwrap().code(), stdout, stderr }
    }
}

impl Drop for SignIn {
    /// Ends a sign-in that the test did not finish.
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// A short `network_timeout`, in seconds, for failures that are retried until it elapses.
pub const SHORT_TIMEOUT: u64 = if cfg!(windows) { 8 } else { 1 }; // Wine is slow on a busy machine

/// Runs a program to completion.
pub fn finish(command: &mut Command) -> Run {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    Run { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

/// Returns the path of a command: in the folder `M365AUTH_TEST_COMMANDS`, or as Cargo built it for this test.
pub fn binary(name: &str) -> PathBuf {
    if let Some(folder) = std::env::var_os("M365AUTH_TEST_COMMANDS") {
        return Path::new(&folder).join(name);
    }
    // A build of the library alone has no commands.
    let path = match name {
        "get-token" => option_env!("CARGO_BIN_EXE_get-token"),
        "refresh-token" => option_env!("CARGO_BIN_EXE_refresh-token"),
        "get-refresh-token" => option_env!("CARGO_BIN_EXE_get-refresh-token"),
        other => panic!("unknown command {other}"),
    };
    path.expect("the feature cli").into()
}

/// Sets the mode of a file or folder.
#[cfg(unix)]
pub fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(mode)).unwrap();
}

/// Returns a port that is free on both loopback addresses and that no other test gets. It is below the range of ports
/// that the system uses for outgoing connections.
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

/// Polls until the condition holds. Fails after 20 seconds.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < Duration::from_secs(20), "timed out waiting for: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn path_variable() -> std::ffi::OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

/// Returns the number of rounds of a repeated test: `M365AUTH_TEST_ROUNDS`, or the default.
pub fn rounds(default: usize) -> usize {
    std::env::var("M365AUTH_TEST_ROUNDS").map_or(default, |rounds| rounds.parse().expect("a number"))
}
