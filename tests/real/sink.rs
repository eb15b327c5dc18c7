//! The SMTP server behind the submission service. It receives one message after another.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

pub struct Sink {
    pub port: u16,
    arrived: mpsc::Receiver<String>,
    is_dropped: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Sink {
    pub fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, arrived) = mpsc::channel();
        let is_dropped = Arc::new(AtomicBool::new(false));
        let is_over = is_dropped.clone();
        let thread = std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept()
                && !is_over.load(Ordering::SeqCst)
            {
                // The submission service connects at each login, even if no mail follows.
                if let Some(message) = receive(stream).ok().filter(|message| !message.is_empty()) {
                    _ = sender.send(message);
                }
            }
        });
        Self { port, arrived, is_dropped, thread: Some(thread) }
    }

    /// Returns envelope and text of the received message.
    #[track_caller]
    pub fn message(&self) -> String {
        self.arrived.recv_timeout(Duration::from_secs(5)).expect("a message arrives")
    }

    /// Returns whether no mail was sent.
    pub fn is_empty(&self) -> bool {
        self.arrived.try_recv().is_err()
    }
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.is_dropped.store(true, Ordering::SeqCst);
        // Ends the thread's wait for a connection.
        _ = TcpStream::connect(("127.0.0.1", self.port));
        _ = self.thread.take().map(JoinHandle::join);
    }
}

/// Serves one SMTP session.
fn receive(stream: TcpStream) -> std::io::Result<String> {
    // A test that has already failed must not hang here.
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut replies = stream.try_clone()?;
    let (mut message, mut in_data) = (String::new(), false);
    replies.write_all(b"220 sink\r\n")?;
    for line in BufReader::new(stream).lines() {
        let Ok(line) = line else { break }; // some clients reset the connection
        let reply = match line.get(..4).unwrap_or_default().to_ascii_uppercase().as_str() {
            _ if in_data && line != "." => None,
            // Dovecot announces 8BITMIME to its clients, whatever its relay supports.
            "EHLO" => Some("250-sink\r\n250 8BITMIME"),
            "QUIT" => Some("221 2.0.0 Bye"),
            "DATA" => Some("354 Go on"),
            _ => Some("250 2.0.0 Ok"),
        };
        let is_content = in_data && line != "." || line.starts_with("MAIL ") || line.starts_with("RCPT ");
        if is_content {
            message.extend([&line, "\n"]);
        }
        in_data = (in_data && line != ".") || reply.is_some_and(|reply| reply.starts_with("354"));
        if let Some(reply) = reply {
            replies.write_all(format!("{reply}\r\n").as_bytes())?;
        }
    }
    Ok(message)
}
