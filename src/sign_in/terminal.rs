//! The terminal outside of line mode, on Unix: pastes of any length, and the terminal as it was afterwards.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr};

use crate::signals;

/// "Bracketed paste": the terminal marks where a paste begins and ends (xterm control sequences, mode 2004).
const BRACKETS_ON: &[u8] = b"\x1b[?2004h";
const BRACKETS_OFF: &[u8] = b"\x1b[?2004l";
const BEGIN: &[u8] = b"\x1b[200~";
const END: &[u8] = b"\x1b[201~";

const BACKSPACE: u8 = 0x7f;
const CONTROL_D: u8 = 0x04;
const CONTROL_U: u8 = 0x15;
/// The value of a key that does nothing (POSIX: `_POSIX_VDISABLE`).
const NO_KEY: u8 = if cfg!(any(target_os = "linux", target_os = "android")) { 0 } else { 0xff };
/// The largest paste that is kept.
const MAX_SIZE: usize = 64 * 1024;
/// In milliseconds: what comes later than this after a line end is not of the same paste.
const PASTE_GOES_ON: i64 = 150;
/// In milliseconds: how soon the reader sees that it must stop.
const POLL_INTERVAL: i64 = 100;

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
    /// Whether its reader stops once the browser came back.
    pub(super) const CAN_CANCEL: bool = true;

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
        // Ctrl-Z would hand the shell a terminal without echo.
        modes.special_codes[SpecialCodeIndex::VSUSP] = NO_KEY;
        tcsetattr(stdin, OptionalActions::Now, &modes).ok()?;
        control(BRACKETS_ON);
        let stopped = Arc::new(AtomicBool::new(false));
        Some((Self { before, stopped: Arc::clone(&stopped) }, Pastes { stopped }))
    }
}

/// A line that is not shown while it is typed. None at the end of input. A signal finds the terminal as it was.
pub(super) fn hidden_line() -> Option<String> {
    let _deferred = signals::defer();
    let (_terminal, mut pastes) = Terminal::open()?;
    pastes.next()
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
    /// The next text, up to a line end that is typed and not pasted. None at the end of input.
    pub(super) fn next(&mut self) -> Option<String> {
        let mut entry = Entry::default();
        let mut buffer = [0; 4096];
        loop {
            let length = self.read(&mut buffer)?;
            let ended = entry.take(&buffer[..length])?;
            // A paste without marks has line ends too, and more comes right after them.
            if ended && !is_readable(PASTE_GOES_ON) {
                return Some(entry.text());
            }
        }
    }

    /// None at the end of input, or when the sign-in has come to an end otherwise.
    fn read(&self, buffer: &mut [u8]) -> Option<usize> {
        let is_over = || self.stopped.load(Ordering::SeqCst) || signals::is_pending();
        while !is_readable(POLL_INTERVAL) && !is_over() {}
        if is_over() {
            return None; // what comes now is the next reader's
        }
        rustix::io::read(rustix::stdio::stdin(), buffer).ok().filter(|length| *length > 0)
    }
}

/// What was typed and pasted since the last line end.
#[derive(Default)]
struct Entry {
    bytes: Vec<u8>,
    /// The start of what may become one of the marks.
    mark: Vec<u8>,
    in_paste: bool,
}

impl Entry {
    /// Takes what came, and says whether its last byte is a line end that is typed and not pasted. None where the person
    /// ends the input (Ctrl-D).
    fn take(&mut self, bytes: &[u8]) -> Option<bool> {
        let mut ended = false;
        for byte in bytes {
            self.mark.push(*byte);
            if self.mark == BEGIN || self.mark == END {
                self.in_paste = self.mark == BEGIN;
                self.mark.clear();
            } else if !BEGIN.starts_with(&self.mark) && !END.starts_with(&self.mark) {
                for byte in std::mem::take(&mut self.mark) {
                    ended = !self.in_paste && (byte == b'\n' || byte == b'\r');
                    self.take_byte(byte)?;
                }
            }
        }
        Some(ended)
    }

    /// Does what line mode would do.
    fn take_byte(&mut self, byte: u8) -> Option<()> {
        match byte {
            BACKSPACE if !self.in_paste => _ = self.bytes.pop(),
            CONTROL_U if !self.in_paste => self.bytes.clear(),
            CONTROL_D if !self.in_paste && self.bytes.is_empty() => return None,
            // What is too long is explained as no address; it must not fill the memory.
            byte if self.bytes.len() < MAX_SIZE => self.bytes.push(byte),
            _ => {}
        }
        Some(())
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// Whether there is something to read, within so many milliseconds.
fn is_readable(milliseconds: i64) -> bool {
    let stdin = rustix::stdio::stdin();
    let mut descriptors = [PollFd::new(&stdin, PollFlags::IN)];
    let limit = Timespec { tv_sec: 0, tv_nsec: milliseconds * 1_000_000 };
    matches!(poll(&mut descriptors, Some(&limit)), Ok(ready) if ready > 0)
}

/// Told to a terminal alone: stderr may be a file.
fn control(sequence: &[u8]) {
    if !std::io::stderr().is_terminal() {
        return;
    }
    let mut stderr = std::io::stderr().lock();
    _ = stderr.write_all(sequence).and_then(|()| stderr.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(chunks: &[&[u8]]) -> (Entry, Option<bool>) {
        let mut entry = Entry::default();
        let ends = chunks.iter().map(|chunk| entry.take(chunk)).last().flatten();
        (entry, ends)
    }

    #[test]
    fn a_paste_keeps_its_line_ends_and_wants_an_enter_after_it() {
        let (pasted, ended) = entry(&[b"\x1b[20", b"0~ab\r\ncd\n\x1b[2", b"01~"]);
        assert_eq!((pasted.text().as_str(), ended), ("ab\r\ncd\n", Some(false)));
        let (entered, ended) = entry(&[b"\x1b[200~ab\x1b[201~\r"]);
        assert_eq!((entered.text().as_str(), ended), ("ab\r", Some(true)));
    }

    #[test]
    fn what_is_taken_back_is_text_and_no_mark() {
        let (typed, ends) = entry(&[b"\x1b[200~wrong\x1b[201~\x7f", b"\n"]);
        assert_eq!((typed.text().as_str(), ends), ("wron\n", Some(true)));
        let (cleared, _) = entry(&[b"wrong\x15right"]);
        assert_eq!(cleared.text(), "right");
        assert!(entry(&[b"\x04"]).1.is_none(), "Ctrl-D ends the input");
    }

    #[test]
    fn too_much_is_dropped_and_the_entry_still_ends() {
        let much = vec![b'x'; MAX_SIZE + 1000];
        let (long, ends) = entry(&[b"\x1b[200~", &much, b"\x1b[201~\n"]);
        assert_eq!((long.bytes.len(), ends), (MAX_SIZE, Some(true)));
    }
}
