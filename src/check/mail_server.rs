//! Logs in to the mail servers as a mail program does, and out again. A server that lets the token in may still refuse the
//! mailbox at the next command, so that IMAP selects one.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Instant;

use oauth2::AccessToken;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use super::MAIL_SERVER_TIMEOUT;
use crate::config::{Profile, SUBMISSION, Server};
use crate::entra::tls_configuration;
use crate::error::{Error, ErrorKind, Result};
use crate::sanitize::for_terminal;
use crate::xoauth2::initial_response;

/// SMTP over TLS from the first byte (RFC 8314); on every other port STARTTLS is demanded.
const SMTPS: u16 = 465;
/// No line of a login is longer.
const MAX_LINE: usize = 16 * 1024;

/// Who logs in with what.
pub(super) struct Login<'a> {
    pub(super) profile: &'a Profile,
    pub(super) user: &'a str,
    pub(super) token: &'a AccessToken,
}

/// AUTHENTICATE, SELECT INBOX, LOGOUT (RFC 9051).
pub(super) fn imap(login: &Login<'_>) -> Result<String> {
    let server = &login.profile.imap_server;
    let mut connection = MailConnection {
        stream: start_tls(server, connect(server)?, login.profile)?,
        server,
        end: Instant::now() + MAIL_SERVER_TIMEOUT,
    };
    connection.read_line()?; // greeting
    connection.send_line("a1 AUTHENTICATE XOAUTH2")?;
    if !connection.read_tagged("a1")?.starts_with('+') {
        return Err(refused(server, "it does not know XOAUTH2"));
    }
    connection.send_line(&initial_response(login.user, login.token))?;
    let mut answer = connection.read_tagged("a1")?;
    if answer.starts_with('+') {
        // The reason, in JSON; the client owes an empty line, and then comes the NO.
        connection.send_line("")?;
        answer = connection.read_tagged("a1")?;
    }
    if !answer.starts_with("a1 OK") {
        return Err(explained(server, &answer));
    }
    connection.send_line("a2 SELECT INBOX")?;
    let selected = connection.read_tagged("a2")?;
    _ = connection.send_line("a3 LOGOUT");
    match selected.starts_with("a2 OK") {
        true => Ok(format!("{server} lets {} in, and opens the inbox", login.user)),
        false => Err(explained(server, &selected)),
    }
}

/// EHLO, STARTTLS, AUTH, QUIT (RFC 5321, 3207, 4954). No mail is sent.
pub(super) fn smtp(login: &Login<'_>) -> Result<String> {
    let server = &login.profile.smtp_server;
    let plain = connect(server)?;
    let stream = if server.port == SMTPS {
        start_tls(server, plain, login.profile)?
    } else {
        let mut connection = MailConnection { stream: plain, server, end: Instant::now() + MAIL_SERVER_TIMEOUT };
        connection.read_reply()?; // greeting
        connection.send_line("EHLO localhost")?;
        if !connection.read_reply()?.to_uppercase().contains("STARTTLS") {
            return Err(refused(server, "it offers no STARTTLS, and a token must not go out in the clear"));
        }
        connection.send_line("STARTTLS")?;
        let ready = connection.read_reply()?;
        if !ready.starts_with("220") {
            return Err(explained(server, &ready));
        }
        start_tls(server, connection.stream, login.profile)?
    };
    let mut connection = MailConnection { stream, server, end: Instant::now() + MAIL_SERVER_TIMEOUT };
    if server.port == SMTPS {
        connection.read_reply()?; // greeting
    }
    connection.send_line("EHLO localhost")?;
    connection.read_reply()?;
    // A command ends at 512 characters (RFC 4954, 4), and a token is longer: it goes out when it is asked for.
    connection.send_line("AUTH XOAUTH2")?;
    let mut answer = connection.read_reply()?;
    if answer.starts_with("334") {
        connection.send_line(&initial_response(login.user, login.token))?;
        answer = connection.read_reply()?;
    }
    if answer.starts_with("334") {
        connection.send_line("")?;
        answer = connection.read_reply()?;
    }
    _ = connection.send_line("QUIT");
    match answer.starts_with("235") {
        true => Ok(format!("{server} lets {} in", login.user)),
        false => Err(explained(server, &answer)),
    }
}

fn connect(server: &Server) -> Result<TcpStream> {
    let addresses =
        (server.host.as_str(), server.port).to_socket_addrs().map_err(|error| unreachable(server, &error))?;
    let mut last = std::io::Error::other("the name has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, MAIL_SERVER_TIMEOUT) {
            Ok(stream) => {
                let limits = stream
                    .set_read_timeout(Some(MAIL_SERVER_TIMEOUT))
                    .and(stream.set_write_timeout(Some(MAIL_SERVER_TIMEOUT)));
                return limits.map(|()| stream).map_err(|error| unreachable(server, &error));
            }
            Err(error) => last = error,
        }
    }
    Err(unreachable(server, &last))
}

/// Verified TLS, with the trust that the token endpoint gets.
fn start_tls(server: &Server, plain: TcpStream, profile: &Profile) -> Result<StreamOwned<ClientConnection, TcpStream>> {
    let name = ServerName::try_from(server.host.clone())
        .map_err(|error| Error::new(ErrorKind::Configuration, format!("{server} is no server: {error}")))?;
    let connection = ClientConnection::new(Arc::new(tls_configuration(profile)?), name)
        .map_err(|error| unreachable(server, &std::io::Error::other(error)))?;
    let mut stream = StreamOwned::new(connection, plain);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).map_err(|error| unreachable(server, &error))?;
    }
    Ok(stream)
}

/// A dialogue in lines.
struct MailConnection<'a, Stream> {
    stream: Stream,
    server: &'a Server,
    /// A server that sends a byte now and then must not hold the check for ever.
    end: Instant,
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
            if Instant::now() > self.end {
                return Err(unreachable(self.server, &std::io::ErrorKind::TimedOut.into()));
            }
            self.stream.read_exact(&mut byte).map_err(|error| unreachable(self.server, &error))?;
            line.push(byte[0]);
        }
        Ok(for_terminal(&String::from_utf8_lossy(&line)))
    }

    /// IMAP's answer to a command: the first line that is tagged, or that asks for more.
    fn read_tagged(&mut self, tag: &str) -> Result<String> {
        loop {
            let line = self.read_line()?;
            if line.starts_with(tag) || line.starts_with('+') {
                return Ok(line);
            }
        }
    }

    /// SMTP's answer, all its lines in one.
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

fn unreachable(server: &Server, error: &std::io::Error) -> Error {
    let port = if server.port == SUBMISSION { "; some networks block port 587" } else { "" };
    Error::new(ErrorKind::TryLater, format!("{server} cannot be reached: {}", for_terminal(&error.to_string())))
        .hint(format!("see whether the network lets you there{port}"))
}

fn refused(server: &Server, why: &str) -> Error {
    Error::new(ErrorKind::SignIn, format!("{server} refuses: {why}"))
        .hint("see docs/troubleshooting.md, \"The mail server refuses the token\"")
}

/// What the refusals of Exchange Online mean (Microsoft: "Fix issues with SMTP AUTH", users' reports).
fn explained(server: &Server, answer: &str) -> Error {
    let hint = match answer {
        _ if answer.contains("5.7.139") => {
            "sending by SMTP AUTH is switched off for the organisation or the mailbox: an administrator can switch it on"
        }
        _ if answer.contains("5.7.3") => {
            "the token is of another mailbox, or lacks SMTP.Send: compare username and the profile's scopes"
        }
        _ if answer.contains("not connected") => {
            "the token is good, and this mailbox is not open to it: another or a shared mailbox, or IMAP is switched off"
        }
        _ => {
            "the token is of another mailbox, lacks the scope, or the service is switched off for the mailbox: \
             compare username with your mail address"
        }
    };
    Error::new(ErrorKind::SignIn, format!("{server} refuses: {answer}")).hint(hint)
}
