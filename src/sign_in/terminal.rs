//! The terminal outside of line mode, on Unix: pastes of any length, and the terminal as it was afterwards.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr};

use crate::interrupt;

/// "Bracketed paste": the terminal marks where a paste begins and ends (xterm control sequences, mode 2004).
const BRACKETS_ON: &[u8] = b"\x1b[?2004h";
const BRACKETS_OFF: &[u8] = b"\x1b[?2004l";
const BEGIN: &[u8] = b"\x1b[200~";
const END: &[u8] = b"\x1b[201~";

const BACKSPACE: u8 = 0x7f;
const CONTROL_U: u8 = 0x15;
/// The largest paste that is kept.
const LARGEST: usize = 64 * 1024;
/// In milliseconds: what comes later than this after a line end is not of the same paste.
const PASTE_GOES_ON: i64 = 150;
/// In milliseconds: how soon the reader sees that it must stop.
const LOOK: i64 = 100;

/// Puts the terminal back as it was when dropped.
pub(super) struct Terminal {
    before: Termios,
    stopped: Arc<AtomicBool>,
}

/// What the person pastes and types.
pub(super) struct Pastes {
    stopped: Arc<AtomicBool>,
}

impl Terminal {
    /// Takes the terminal out of line mode, without echo: the address holds a code. None where the terminal is in
    /// another program's hands.
    pub(super) fn open() -> Option<(Self, Pastes)> {
        let stdin = rustix::stdio::stdin();
        if tcgetpgrp(stdin).ok()? != rustix::process::getpgrp() {
            return None; // to change its modes would stop us (SIGTTOU)
        }
        let before = tcgetattr(stdin).ok()?;
        let mut modes = before.clone();
        // Signals stay: Ctrl-C is Ctrl-C.
        modes.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(stdin, OptionalActions::Now, &modes).ok()?;
        control(BRACKETS_ON);
        let stopped = Arc::new(AtomicBool::new(false));
        Some((Self { before, stopped: Arc::clone(&stopped) }, Pastes { stopped }))
    }
}

/// A line that is not shown while it is typed. None at the end of input. A signal finds the terminal as it was.
pub(super) fn hidden_line() -> Option<String> {
    let _held = interrupt::hold();
    let (_terminal, mut pastes) = Terminal::open()?;
    pastes.next(|_| false)
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        control(BRACKETS_OFF);
        // The rest of a paste that nobody read must not become the shell's next commands.
        _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Flush, &self.before);
    }
}

impl Pastes {
    /// The next text: up to a line end that is not within a paste, or to where it is complete. None at the end of input.
    pub(super) fn next(&mut self, is_complete: impl Fn(&str) -> bool) -> Option<String> {
        let mut bytes = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let length = self.read(&mut buffer)?;
            bytes.extend_from_slice(&buffer[..length]);
            bytes.truncate(LARGEST);
            edit(&mut bytes);
            let open = count(&bytes, BEGIN) > count(&bytes, END);
            let ends = bytes.ends_with(b"\n") || bytes.ends_with(b"\r");
            let text = without_brackets(&bytes);
            let whole = !open && is_complete(&text) && (ends || bytes.ends_with(END));
            if whole || (ends && !open && !is_readable(PASTE_GOES_ON)) {
                return Some(text);
            }
        }
    }

    /// None at the end of input, or when the sign-in has come to an end otherwise.
    fn read(&self, buffer: &mut [u8]) -> Option<usize> {
        while !is_readable(LOOK) {
            if self.stopped.load(Ordering::SeqCst) || interrupt::is_received() {
                return None;
            }
        }
        rustix::io::read(rustix::stdio::stdin(), buffer).ok().filter(|length| *length > 0)
    }
}

/// Whether there is something to read, within so many milliseconds.
fn is_readable(milliseconds: i64) -> bool {
    let stdin = rustix::stdio::stdin();
    let mut descriptors = [PollFd::new(&stdin, PollFlags::IN)];
    let limit = Timespec { tv_sec: 0, tv_nsec: milliseconds * 1_000_000 };
    matches!(poll(&mut descriptors, Some(&limit)), Ok(ready) if ready > 0)
}

/// Does what line mode would do for the keys that take back.
fn edit(bytes: &mut Vec<u8>) {
    while let Some(at) = bytes.iter().position(|byte| [BACKSPACE, CONTROL_U].contains(byte)) {
        let start = if bytes[at] == BACKSPACE { at.saturating_sub(1) } else { 0 };
        bytes.drain(start..=at);
    }
}

fn without_brackets(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes).into_owned();
    [BEGIN, END].iter().fold(text, |text, mark| text.replace(&*String::from_utf8_lossy(mark), ""))
}

fn count(bytes: &[u8], mark: &[u8]) -> usize {
    bytes.windows(mark.len()).filter(|window| *window == mark).count()
}

fn control(sequence: &[u8]) {
    let mut stderr = std::io::stderr().lock();
    _ = stderr.write_all(sequence).and_then(|()| stderr.flush());
}
