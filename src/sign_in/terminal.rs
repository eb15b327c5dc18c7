//! The terminal on Unix, in non-canonical mode: it accepts pastes of any length, and is restored afterwards.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, fstat};
use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr};

use crate::sanitize::has_control_sequences;
use crate::signals;

/// "Bracketed paste": the terminal marks where a paste begins and ends (xterm control sequences, mode 2004).
const BRACKETS_ON: &[u8] = b"\x1b[?2004h";
const BRACKETS_OFF: &[u8] = b"\x1b[?2004l";
const BEGIN: &[u8] = b"\x1b[200~";
const END: &[u8] = b"\x1b[201~";

const BACKSPACE: u8 = 0x7f;
const CONTROL_D: u8 = 0x04;
const CONTROL_U: u8 = 0x15;
/// The value that disables a special character (POSIX: `_POSIX_VDISABLE`).
const DISABLED: u8 = if cfg!(any(target_os = "linux", target_os = "android")) { 0 } else { 0xff };
/// The largest entry, in bytes. The rest of a longer one is dropped.
const MAX_SIZE: usize = 64 * 1024;
/// In milliseconds: a paste without brackets has ended if nothing follows a line end for this long.
const PASTE_PAUSE: i64 = 150;
/// In milliseconds: how often the reader checks whether it must stop.
const POLL_INTERVAL: i64 = 100;

/// The terminal in non-canonical mode without echo. Dropping it restores the previous mode.
pub(super) struct Terminal {
    previous: Termios,
    stopped: Arc<AtomicBool>,
}

/// The texts that the user pastes or types.
pub(super) struct Pastes {
    stopped: Arc<AtomicBool>,
}

impl Terminal {
    /// Whether a read can be cancelled, for example when the browser's redirect has arrived.
    pub(super) const CAN_CANCEL: bool = true;

    /// Switches the terminal to non-canonical mode, without echo because the redirect URL contains a code. Returns
    /// `None` if another program uses the terminal.
    pub(super) fn open() -> Option<(Self, Pastes)> {
        let stdin = rustix::stdio::stdin();
        if tcgetpgrp(stdin).ok()? != rustix::process::getpgrp() {
            return None; // a background process that changes the mode is stopped (SIGTTOU)
        }
        let previous = tcgetattr(stdin).ok()?;
        let mut modes = previous.clone();
        // ISIG stays set, so that Ctrl-C still sends a signal.
        modes.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        modes.special_codes[SpecialCodeIndex::VMIN] = 1;
        modes.special_codes[SpecialCodeIndex::VTIME] = 0;
        // Ctrl-Z would leave the shell with a terminal without echo.
        modes.special_codes[SpecialCodeIndex::VSUSP] = DISABLED;
        tcsetattr(stdin, OptionalActions::Now, &modes).ok()?;
        write_control(BRACKETS_ON);
        let stopped = Arc::new(AtomicBool::new(false));
        Some((Self { previous, stopped: Arc::clone(&stopped) }, Pastes { stopped }))
    }
}

/// Reads a line without echo. Returns `None` at the end of input. A signal is delivered after the terminal is restored.
pub(super) fn hidden_line() -> Option<String> {
    let _deferred = signals::defer();
    let (_terminal, mut pastes) = Terminal::open()?;
    pastes.next()
}

/// Returns whether stdin is a device that is not a terminal, such as /dev/null.
pub(super) fn stdin_is_null_device() -> bool {
    let status = fstat(rustix::stdio::stdin());
    status.is_ok_and(|status| FileType::from_raw_mode(status.st_mode).is_char_device())
}

impl Drop for Terminal {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        write_control(BRACKETS_OFF);
        // Flush discards the unread rest of a paste, which the shell would otherwise run as commands.
        _ = tcsetattr(rustix::stdio::stdin(), OptionalActions::Flush, &self.previous);
    }
}

impl Pastes {
    /// Returns the next text, up to a line end that is typed rather than pasted, or `None` at the end of input.
    pub(super) fn next(&mut self) -> Option<String> {
        let mut entry = Entry::default();
        let mut buffer = [0; 4096];
        loop {
            let length = self.read(&mut buffer)?;
            let ended = entry.push(&buffer[..length])?;
            // A paste without brackets also contains line ends, but more input follows them immediately.
            if ended && !is_readable(PASTE_PAUSE) {
                return Some(entry.text());
            }
        }
    }

    /// Returns `None` at the end of input, or when the sign-in has ended.
    fn read(&self, buffer: &mut [u8]) -> Option<usize> {
        let is_cancelled = || self.stopped.load(Ordering::SeqCst) || signals::is_pending();
        while !is_readable(POLL_INTERVAL) && !is_cancelled() {}
        if is_cancelled() {
            return None; // further input is for the next prompt
        }
        rustix::io::read(rustix::stdio::stdin(), buffer).ok().filter(|length| *length > 0)
    }
}

/// The text that was typed or pasted since the last line end.
#[derive(Default)]
struct Entry {
    bytes: Vec<u8>,
    /// Bytes that may be the start of a bracket.
    bracket: Vec<u8>,
    in_paste: bool,
}

impl Entry {
    /// Appends input, and returns whether its last byte is a line end that is typed rather than pasted. Returns `None`
    /// if the user ends the input (Ctrl-D).
    fn push(&mut self, bytes: &[u8]) -> Option<bool> {
        let mut ended = false;
        for byte in bytes {
            self.bracket.push(*byte);
            if self.bracket == BEGIN || self.bracket == END {
                self.in_paste = self.bracket == BEGIN;
                self.bracket.clear();
            } else if !BEGIN.starts_with(&self.bracket) && !END.starts_with(&self.bracket) {
                for byte in std::mem::take(&mut self.bracket) {
                    ended = !self.in_paste && (byte == b'\n' || byte == b'\r');
                    self.push_byte(byte)?;
                }
            }
        }
        Some(ended)
    }

    /// Appends a byte, or edits the text as the canonical mode would.
    fn push_byte(&mut self, byte: u8) -> Option<()> {
        match byte {
            BACKSPACE if !self.in_paste => _ = self.bytes.pop(),
            CONTROL_U if !self.in_paste => self.bytes.clear(),
            CONTROL_D if !self.in_paste && self.bytes.is_empty() => return None,
            // A longer text cannot be a redirect URL, and must not fill the memory.
            byte if self.bytes.len() < MAX_SIZE => self.bytes.push(byte),
            _ => {}
        }
        Some(())
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// Returns whether input is available, and waits for it up to the given number of milliseconds.
fn is_readable(milliseconds: i64) -> bool {
    let stdin = rustix::stdio::stdin();
    let mut descriptors = [PollFd::new(&stdin, PollFlags::IN)];
    let limit = Timespec { tv_sec: 0, tv_nsec: milliseconds * 1_000_000 };
    matches!(poll(&mut descriptors, Some(&limit)), Ok(ready) if ready > 0)
}

/// Writes a control sequence to stderr if that is a terminal that has control sequences.
fn write_control(sequence: &[u8]) {
    if !has_control_sequences() || !std::io::stderr().is_terminal() {
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
        let ended = chunks.iter().map(|chunk| entry.push(chunk)).last().flatten();
        (entry, ended)
    }

    #[test]
    fn a_paste_keeps_its_line_ends_and_enter_ends_it() {
        let (pasted, ended) = entry(&[b"\x1b[20", b"0~ab\r\ncd\n\x1b[2", b"01~"]);
        assert_eq!((pasted.text().as_str(), ended), ("ab\r\ncd\n", Some(false)));
        let (entered, ended) = entry(&[b"\x1b[200~ab\x1b[201~\r"]);
        assert_eq!((entered.text().as_str(), ended), ("ab\r", Some(true)));
    }

    #[test]
    fn editing_keys_remove_text_but_not_brackets() {
        let (typed, ended) = entry(&[b"\x1b[200~wrong\x1b[201~\x7f", b"\n"]);
        assert_eq!((typed.text().as_str(), ended), ("wron\n", Some(true)));
        let (cleared, _) = entry(&[b"wrong\x15right"]);
        assert_eq!(cleared.text(), "right");
        assert!(entry(&[b"\x04"]).1.is_none(), "Ctrl-D ends the input");
    }

    #[test]
    fn an_entry_over_the_limit_is_truncated_and_still_ends() {
        let text = vec![b'x'; MAX_SIZE + 1000];
        let (long, ended) = entry(&[b"\x1b[200~", &text, b"\x1b[201~\n"]);
        assert_eq!((long.bytes.len(), ended), (MAX_SIZE, Some(true)));
    }
}
