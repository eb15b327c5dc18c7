//! Signs in to the mail servers as a mail program does, and out again. IMAP selects a mailbox too, because a server
//! that accepts the token may still refuse the mailbox at the next command.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use oauth2::AccessToken;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};
use tokio::task::JoinSet;

use super::MAIL_SERVER_TIMEOUT;
use crate::config::{Profile, SUBMISSION, Server};
use crate::entra::{tls_configuration, untrusted_certificate};
use crate::error::{Error, ErrorKind, Result};
use crate::runtime;
use crate::sanitize::for_terminal;
use crate::xoauth2::initial_response;

/// The port of SMTP over implicit TLS (RFC 8314). On every other port, STARTTLS is required.
const SMTPS: u16 = 465;
/// How long an address may take before the next one is tried beside it (RFC 8305, 8).
const NEXT_ADDRESS: Duration = Duration::from_millis(250);
/// The longest line that is read.
const MAX_LINE: usize = 16 * 1024;

/// Who signs in, and with which token.
pub(super) struct Login<'a> {
    pub(super) profile: &'a Profile,
    pub(super) user: &'a str,
    /// The account that the token is for, if Microsoft named it.
    pub(super) account: Option<&'a str>,
    pub(super) token: &'a AccessToken,
}

/// AUTHENTICATE, SELECT INBOX, LOGOUT (RFC 9051).
pub(super) fn imap(login: &Login<'_>) -> Result<String> {
    let server = &login.profile.imap_server;
    let mut connection = MailConnection {
        stream: start_tls(server, connect(server)?, login.profile)?,
        server,
        deadline: Instant::now() + MAIL_SERVER_TIMEOUT,
    };
    connection.read_line()?; // greeting
    connection.send_line("a1 AUTHENTICATE XOAUTH2")?;
    if !connection.read_tagged("a1")?.starts_with('+') {
        return Err(refused(server, "it does not support XOAUTH2"));
    }
    connection.send_line(&initial_response(login.user, login.token))?;
    let mut response = connection.read_tagged("a1")?;
    if response.starts_with('+') {
        // The server sends the reason as JSON and expects an empty line before the NO.
        connection.send_line("")?;
        response = connection.read_tagged("a1")?;
    }
    if !response.starts_with("a1 OK") {
        return Err(refusal(login, server, &response));
    }
    connection.send_line("a2 SELECT INBOX")?;
    let selected = connection.read_tagged("a2")?;
    _ = connection.send_line("a3 LOGOUT");
    match selected.starts_with("a2 OK") {
        true => Ok(format!("signed in to {server} as {} and opened the inbox", login.user)),
        false => Err(refusal(login, server, &selected)),
    }
}

/// EHLO, STARTTLS, AUTH, QUIT (RFC 5321, 3207, 4954). No mail is sent.
pub(super) fn smtp(login: &Login<'_>) -> Result<String> {
    let server = &login.profile.smtp_server;
    let plain = connect(server)?;
    let stream = if server.port == SMTPS {
        start_tls(server, plain, login.profile)?
    } else {
        let mut connection = MailConnection { stream: plain, server, deadline: Instant::now() + MAIL_SERVER_TIMEOUT };
        connection.read_reply()?; // greeting
        connection.send_line("EHLO localhost")?;
        if !connection.read_reply()?.to_uppercase().contains("STARTTLS") {
            return Err(refused(server, "it does not offer STARTTLS, and a token is never sent unencrypted"));
        }
        connection.send_line("STARTTLS")?;
        let ready = connection.read_reply()?;
        if !ready.starts_with("220") {
            return Err(refusal(login, server, &ready));
        }
        start_tls(server, connection.stream, login.profile)?
    };
    let mut connection = MailConnection { stream, server, deadline: Instant::now() + MAIL_SERVER_TIMEOUT };
    if server.port == SMTPS {
        connection.read_reply()?; // greeting
    }
    connection.send_line("EHLO localhost")?;
    connection.read_reply()?;
    // A command is limited to 512 characters (RFC 4954, 4). A token is longer, so it follows on a line of its own.
    connection.send_line("AUTH XOAUTH2")?;
    let mut response = connection.read_reply()?;
    if response.starts_with("334") {
        connection.send_line(&initial_response(login.user, login.token))?;
        response = connection.read_reply()?;
    }
    if response.starts_with("334") {
        connection.send_line("")?;
        response = connection.read_reply()?;
    }
    _ = connection.send_line("QUIT");
    match response.starts_with("235") {
        true => Ok(format!("signed in to {server} as {}", login.user)),
        false => Err(refusal(login, server, &response)),
    }
}

/// Connects to the address that responds first.
fn connect(server: &Server) -> Result<TcpStream> {
    let addresses: Vec<SocketAddr> =
        (server.host.as_str(), server.port).to_socket_addrs().map_err(|error| unreachable(server, &error))?.collect();
    let connected = runtime::new().and_then(|runtime| {
        runtime.block_on(async {
            let attempts = side_by_side(&addresses);
            tokio::time::timeout(MAIL_SERVER_TIMEOUT, attempts).await.unwrap_or(Err(io::ErrorKind::TimedOut.into()))
        })
    });
    let configured = connected.and_then(|stream| {
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(MAIL_SERVER_TIMEOUT))?;
        stream.set_write_timeout(Some(MAIL_SERVER_TIMEOUT))?;
        Ok(stream)
    });
    configured.map_err(|error| unreachable(server, &error))
}

/// Tries the addresses one after the other without waiting for the end of the earlier attempts ("Happy Eyeballs").
async fn side_by_side(addresses: &[SocketAddr]) -> io::Result<TcpStream> {
    let mut attempts = JoinSet::new();
    for (delay, address) in (0..).map(|number| NEXT_ADDRESS * number).zip(addresses.iter().copied()) {
        attempts.spawn(async move {
            tokio::time::sleep(delay).await;
            tokio::net::TcpStream::connect(address).await?.into_std()
        });
    }
    let mut last = io::Error::other("the host name has no address");
    while let Some(attempt) = attempts.join_next().await {
        match attempt.map_err(io::Error::other).flatten() {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Starts TLS with the same certificate authorities as for the token endpoint.
fn start_tls(server: &Server, plain: TcpStream, profile: &Profile) -> Result<StreamOwned<ClientConnection, TcpStream>> {
    let name = ServerName::try_from(server.host.clone())
        .map_err(|error| Error::new(ErrorKind::Configuration, format!("{server} is not a valid host name: {error}")))?;
    let connection = ClientConnection::new(Arc::new(tls_configuration(profile)?), name)
        .map_err(|error| unreachable(server, &io::Error::other(error)))?;
    let mut stream = StreamOwned::new(connection, plain);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).map_err(|error| match error.to_string().contains("certificate") {
            true => unreachable(server, &error).hint(untrusted_certificate(profile)),
            false => unreachable(server, &error),
        })?;
    }
    Ok(stream)
}

/// A dialogue in lines with a mail server.
struct MailConnection<'a, Stream> {
    stream: Stream,
    server: &'a Server,
    /// When to give up. A server that sends a byte now and then must not delay the check forever.
    deadline: Instant,
}

impl<Stream: Read + Write> MailConnection<'_, Stream> {
    fn send_line(&mut self, line: &str) -> Result<()> {
        let written = self.stream.write_all(format!("{line}\r\n").as_bytes()).and_then(|()| self.stream.flush());
        written.map_err(|error| unreachable(self.server, &error))
    }

    fn read_line(&mut self) -> Result<String> {
        let mut line = Vec::new();
        let mut byte = [0];
        while line.last() != Some(&b'\n') && line.len() < MAX_LINE {
            if Instant::now() > self.deadline {
                return Err(unreachable(self.server, &io::ErrorKind::TimedOut.into()));
            }
            self.stream.read_exact(&mut byte).map_err(|error| unreachable(self.server, &error))?;
            line.push(byte[0]);
        }
        Ok(for_terminal(&String::from_utf8_lossy(&line)))
    }

    /// Reads IMAP's response to a command: the first line that is tagged or asks for more.
    fn read_tagged(&mut self, tag: &str) -> Result<String> {
        loop {
            let line = self.read_line()?;
            if line.starts_with(tag) || line.starts_with('+') {
                return Ok(line);
            }
        }
    }

    /// Reads SMTP's response and joins its lines.
    fn read_reply(&mut self) -> Result<String> {
        let mut reply = self.read_line()?;
        let mut last = reply.clone();
        while last.as_bytes().get(3) == Some(&b'-') {
            last = self.read_line()?;
            reply = format!("{reply} {last}");
        }
        Ok(reply)
    }
}

fn unreachable(server: &Server, error: &io::Error) -> Error {
    // A read or write that runs into its time limit fails with WouldBlock on Unix (socket(7), SO_RCVTIMEO).
    let timed_out = matches!(error.kind(), io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock);
    let message = match timed_out {
        true => format!("{server} did not respond within {} seconds", MAIL_SERVER_TIMEOUT.as_secs()),
        false => format!("{server} cannot be reached: {}", for_terminal(&error.to_string())),
    };
    let port = if server.port == SUBMISSION { " (some networks block port 587)" } else { "" };
    Error::new(ErrorKind::TryLater, message)
        .hint(format!("check whether your network allows connections to {server}{port}"))
}

fn refused(server: &Server, why: &str) -> Error {
    Error::new(ErrorKind::SignIn, format!("{server} cannot be used: {why}"))
        .hint("see docs/troubleshooting.md, \"The mail server refuses the token\"")
}

/// Explains a refusal by Exchange Online (Microsoft: "Fix issues with SMTP AUTH", users' reports).
fn refusal(login: &Login<'_>, server: &Server, response: &str) -> Error {
    let hint = match response {
        _ if response.contains("5.7.139") => {
            "ask an administrator to enable SMTP AUTH: it is disabled for the organisation or for this mailbox"
        }
        _ if response.contains("5.7.3") => {
            "check that username is your mail address and that the profile's scopes include SMTP.Send: the token is for another \
             mailbox or lacks this scope"
        }
        _ if response.contains("not connected") => {
            "compare username with your mail address, or ask an administrator to enable IMAP: the token is valid, but not \
             for this mailbox"
        }
        _ => {
            "compare username with your mail address: the token is for another mailbox or lacks the scope, or the \
             service is disabled for this mailbox"
        }
    };
    let other = login.account.filter(|account| !account.eq_ignore_ascii_case(login.user));
    let token = other.map_or_else(String::new, |account| format!(" (the token is for {account})"));
    Error::new(ErrorKind::SignIn, format!("{server} refused {}{token}: {response}", login.user)).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns an address on which nobody answers: the kernel drops connections beyond the backlog.
    async fn silent_address() -> (SocketAddr, Vec<tokio::net::TcpStream>, tokio::net::TcpListener) {
        let socket = tokio::net::TcpSocket::new_v4().expect("a socket");
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
        let listener = socket.listen(1).expect("listening");
        let address = listener.local_addr().expect("an address");
        let mut waiting = Vec::new();
        while let Ok(Ok(stream)) = tokio::time::timeout(NEXT_ADDRESS, tokio::net::TcpStream::connect(address)).await {
            waiting.push(stream);
        }
        (address, waiting, listener)
    }

    #[test]
    fn an_address_that_does_not_answer_does_not_delay_the_next_one() {
        runtime::new().expect("a runtime").block_on(async {
            let (silent, _waiting, _silent_listener) = silent_address().await;
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
            let working = listener.local_addr().expect("an address");
            let connected = tokio::time::timeout(MAIL_SERVER_TIMEOUT, side_by_side(&[silent, working])).await;
            let stream = connected.expect("in time").expect("connected");
            assert_eq!(stream.peer_addr().expect("an address"), working);
        });
    }
}
