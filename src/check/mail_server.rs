//! Logs in to the mail servers as a mail program does, and out again. A server that lets the token in may still refuse the
//! mailbox at the next command, so that IMAP selects one.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Instant;

use oauth2::AccessToken;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use super::PATIENCE;
use crate::config::{Profile, SUBMISSION, Server};
use crate::entra::tls_configuration;
use crate::error::{Error, ErrorKind, Result};
use crate::foreign::printable;
use crate::xoauth2::initial_response;

/// SMTP over TLS from the first byte (RFC 8314); on every other port STARTTLS is demanded.
const SMTPS: u16 = 465;
/// No line of a login is longer.
const LONGEST_LINE: usize = 16 * 1024;

/// Who logs in with what.
pub(super) struct Login<'a> {
    pub(super) profile: &'a Profile,
    pub(super) user: &'a str,
    pub(super) token: &'a AccessToken,
}

/// AUTHENTICATE, SELECT INBOX, LOGOUT (RFC 9051).
pub(super) fn imap(login: &Login<'_>) -> Result<String> {
    let server = &login.profile.imap_server;
    let mut talk =
        Talk { stream: secured(server, connect(server)?, login.profile)?, server, end: Instant::now() + PATIENCE };
    talk.line()?; // greeting
    talk.say("a1 AUTHENTICATE XOAUTH2")?;
    if !talk.tagged("a1")?.starts_with('+') {
        return Err(refused(server, "it does not know XOAUTH2"));
    }
    talk.say(&initial_response(login.user, login.token))?;
    let mut answer = talk.tagged("a1")?;
    if answer.starts_with('+') {
        // The reason, in JSON; the client owes an empty line, and then comes the NO.
        talk.say("")?;
        answer = talk.tagged("a1")?;
    }
    if !answer.starts_with("a1 OK") {
        return Err(explained(server, &answer));
    }
    talk.say("a2 SELECT INBOX")?;
    let selected = talk.tagged("a2")?;
    _ = talk.say("a3 LOGOUT");
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
        secured(server, plain, login.profile)?
    } else {
        let mut talk = Talk { stream: plain, server, end: Instant::now() + PATIENCE };
        talk.reply()?; // greeting
        talk.say("EHLO localhost")?;
        if !talk.reply()?.to_uppercase().contains("STARTTLS") {
            return Err(refused(server, "it offers no STARTTLS, and a token must not go out in the clear"));
        }
        talk.say("STARTTLS")?;
        let ready = talk.reply()?;
        if !ready.starts_with("220") {
            return Err(explained(server, &ready));
        }
        secured(server, talk.stream, login.profile)?
    };
    let mut talk = Talk { stream, server, end: Instant::now() + PATIENCE };
    if server.port == SMTPS {
        talk.reply()?; // greeting
    }
    talk.say("EHLO localhost")?;
    talk.reply()?;
    // A command ends at 512 characters (RFC 4954, 4), and a token is longer: it goes out when it is asked for.
    talk.say("AUTH XOAUTH2")?;
    let mut answer = talk.reply()?;
    if answer.starts_with("334") {
        talk.say(&initial_response(login.user, login.token))?;
        answer = talk.reply()?;
    }
    if answer.starts_with("334") {
        talk.say("")?;
        answer = talk.reply()?;
    }
    _ = talk.say("QUIT");
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
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => {
                let limits = stream.set_read_timeout(Some(PATIENCE)).and(stream.set_write_timeout(Some(PATIENCE)));
                return limits.map(|()| stream).map_err(|error| unreachable(server, &error));
            }
            Err(error) => last = error,
        }
    }
    Err(unreachable(server, &last))
}

/// Verified TLS, with the trust that the token endpoint gets.
fn secured(server: &Server, plain: TcpStream, profile: &Profile) -> Result<StreamOwned<ClientConnection, TcpStream>> {
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
struct Talk<'a, Stream> {
    stream: Stream,
    server: &'a Server,
    /// A server that sends a byte now and then must not hold the check for ever.
    end: Instant,
}

impl<Stream: Read + Write> Talk<'_, Stream> {
    fn say(&mut self, line: &str) -> Result<()> {
        let written = self.stream.write_all(format!("{line}\r\n").as_bytes()).and_then(|()| self.stream.flush());
        written.map_err(|error| unreachable(self.server, &error))
    }

    fn line(&mut self) -> Result<String> {
        let mut line = Vec::new();
        let mut byte = [0];
        while line.last() != Some(&b'\n') && line.len() < LONGEST_LINE {
            if Instant::now() > self.end {
                return Err(unreachable(self.server, &std::io::ErrorKind::TimedOut.into()));
            }
            self.stream.read_exact(&mut byte).map_err(|error| unreachable(self.server, &error))?;
            line.push(byte[0]);
        }
        Ok(printable(&String::from_utf8_lossy(&line)))
    }

    /// IMAP's answer to a command: the first line that is tagged, or that asks for more.
    fn tagged(&mut self, tag: &str) -> Result<String> {
        loop {
            let line = self.line()?;
            if line.starts_with(tag) || line.starts_with('+') {
                return Ok(line);
            }
        }
    }

    /// SMTP's answer, all its lines in one.
    fn reply(&mut self) -> Result<String> {
        let mut reply = self.line()?;
        let mut last = reply.clone();
        while last.as_bytes().get(3) == Some(&b'-') {
            last = self.line()?;
            reply = format!("{reply} {last}");
        }
        Ok(reply)
    }
}

fn unreachable(server: &Server, error: &std::io::Error) -> Error {
    let port = if server.port == SUBMISSION { "; some networks block port 587" } else { "" };
    Error::new(ErrorKind::TryLater, format!("{server} cannot be reached: {}", printable(&error.to_string())))
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
