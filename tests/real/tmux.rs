//! A real terminal, provided by tmux.

use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::login::program;
use crate::support::{Home, eventually, finish};

/// A terminal in tmux.
pub struct Terminal<'a> {
    home: &'a Home,
    socket: String,
}

impl<'a> Terminal<'a> {
    /// Runs a shell line in a terminal of 80 columns. Its stdout goes to a file. Afterwards the terminal shows the exit
    /// code and the terminal's modes.
    pub fn run(home: &'a Home, line: &str) -> Self {
        Self::run_in(home, 80, line)
    }

    /// Runs a shell line in a terminal with this number of columns.
    pub fn run_in(home: &'a Home, columns: usize, line: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let socket = format!("m365auth-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let mut environment = std::process::Command::new("true");
        home.prepare(&mut environment);
        let script = home.path().join("script");
        std::fs::write(&script, format!("trap : INT TERM # keep the shell running\n{line} >\"$HOME/stdout\"\necho \"exit code $?\"\nstty -a\nexec sleep 600\n"))
            .unwrap();
        let terminal = Self { home, socket };
        let mut tmux = terminal.tmux();
        tmux.args(["-f", "/dev/null", "new-session", "-d", "-x", &columns.to_string(), "-y", "60"]);
        tmux.args(["env", "-i", "TERM=screen"]);
        for (name, value) in environment.get_envs() {
            if let (Some(name), Some(value)) = (name.to_str(), value.and_then(|value| value.to_str())) {
                tmux.arg(format!("{name}={value}"));
            }
        }
        let started = finish(tmux.arg("sh").arg(script));
        assert_eq!(started.code, Some(0), "{started:?}");
        terminal
    }

    fn tmux(&self) -> std::process::Command {
        let mut tmux = program("tmux", "tmux");
        tmux.args(["-L", &self.socket]).stdin(Stdio::null()).env_remove("TMUX");
        tmux
    }

    /// Returns all text shown, with the terminal's line wraps removed.
    pub fn text(&self) -> String {
        finish(self.tmux().args(["capture-pane", "-p", "-J", "-S", "-200"])).stdout
    }

    /// Returns this text on one line, also where the program wrapped it.
    pub fn words(&self) -> String {
        self.text().split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Returns the lines as they are on the screen, where tmux wrapped those that are too long.
    pub fn screen(&self) -> String {
        finish(self.tmux().args(["capture-pane", "-p", "-S", "-200"])).stdout
    }

    /// Returns all that was shown, with the escape sequences of its colors.
    pub fn colored(&self) -> String {
        finish(self.tmux().args(["capture-pane", "-p", "-J", "-e", "-S", "-200"])).stdout
    }

    /// Returns the column of the cursor, from 0.
    pub fn cursor(&self) -> usize {
        finish(self.tmux().args(["display-message", "-p", "#{cursor_x}"])).stdout.trim().parse().unwrap()
    }

    #[track_caller]
    pub fn shows(&self, expected: &str) {
        let mut text = String::new();
        let start = std::time::Instant::now();
        while !text.contains(expected) {
            assert!(start.elapsed().as_secs() < 30, "no {expected:?} in\n{text}");
            std::thread::sleep(std::time::Duration::from_millis(20));
            text = self.text();
        }
    }

    /// Waits for a text or the end of the command. Returns whether the end came first.
    pub fn ends_before(&self, expected: &str) -> bool {
        let mut text = String::new();
        eventually("the text or the end", || {
            text = self.text();
            text.contains(expected) || text.contains("exit code")
        });
        !text.contains(expected)
    }

    pub fn types(&self, keys: &[&str]) {
        assert_eq!(finish(self.tmux().args(["send-keys"]).args(keys)).code, Some(0));
    }

    /// Pastes text. With `bracketed`, the terminal marks the start and end if the program requested it.
    pub fn pastes(&self, text: &str, bracketed: bool) {
        let file = self.home.path().join("clipboard");
        std::fs::write(&file, text).unwrap();
        assert_eq!(finish(self.tmux().arg("load-buffer").arg(file)).code, Some(0));
        let how: &[&str] = if bracketed { &["-p"] } else { &[] };
        assert_eq!(finish(self.tmux().arg("paste-buffer").args(how)).code, Some(0));
    }

    /// Returns the URL of the sign-in page.
    pub fn url(&self) -> String {
        self.shows("state=");
        eventually("the complete URL", || self.text().contains("paste"));
        let text = self.text();
        text.lines().find(|line| line.starts_with("https://")).unwrap().trim().to_owned()
    }

    /// Asserts the exit code, and that the terminal is in line mode with echo again.
    #[track_caller]
    pub fn ends_with(&self, code: i32) {
        self.shows(&format!("exit code {code}"));
        eventually("the output of stty", || self.text().contains("echoctl"));
        let text = self.text();
        let modes = text.rsplit("exit code").next().unwrap();
        assert!(modes.contains(" icanon") && modes.contains(" echo "), "{modes}");
    }

    pub fn token(&self) -> String {
        std::fs::read_to_string(self.home.path().join("stdout")).unwrap()
    }
}

impl Drop for Terminal<'_> {
    fn drop(&mut self) {
        _ = finish(self.tmux().arg("kill-server"));
    }
}
