//! Signs in to the mail servers as a mail program does, and out again. IMAP selects a mailbox too, because a server
//! that accepts the token may still refuse the mailbox at the next command.

use std::io::{Read, Write};
use std::time::Duration;

use super::transport::{TlsStream, connect, start_tls, unreachable};
use crate::config::{Grant, Profile, Server};
use crate::error::{Error, ErrorKind, Result};
use crate::sanitize::for_terminal;
use crate::token::AccessToken;
use crate::xoauth2::initial_response;

/// The port of SMTP over implicit TLS (RFC 8314). On every other port, STARTTLS is required.
const SMTPS: u16 = 465;
/// The time limit once the token is sent, because Exchange can delay a refusal for seconds (Microsoft:
/// "Set-ReceiveConnector", TarpitInterval; the page is about Exchange Server).
const LOGIN_TIMEOUT: Duration = Duration::from_secs(15);
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
    let mut connection = MailConnection { stream: start_tls(server, connect(server)?, login.profile)?, server };
    connection.read_line()?; // greeting
    connection.send_line("a1 AUTHENTICATE XOAUTH2")?;
    if !connection.read_tagged("a1")?.starts_with('+') {
        return Err(unusable(login, server, "it does not support XOAUTH2"));
    }
    connection.send_token(login)?;
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
        let mut connection = MailConnection { stream: plain, server };
        connection.read_reply()?; // greeting
        connection.send_line("EHLO localhost")?;
        if !connection.read_reply()?.to_uppercase().contains("STARTTLS") {
            return Err(unusable(login, server, "it does not offer STARTTLS, and a token is never sent unencrypted"));
        }
        connection.send_line("STARTTLS")?;
        let ready = connection.read_reply()?;
        if !ready.starts_with("220") {
            return Err(refusal(login, server, &ready));
        }
        start_tls(server, connection.stream, login.profile)?
    };
    let mut connection = MailConnection { stream, server };
    if server.port == SMTPS {
        connection.read_reply()?; // greeting
    }
    connection.send_line("EHLO localhost")?;
    connection.read_reply()?;
    // A command is limited to 512 characters (RFC 4954, 4). A token is longer, so it follows on a line of its own.
    connection.send_line("AUTH XOAUTH2")?;
    let mut response = connection.read_reply()?;
    if response.starts_with("334") {
        connection.send_token(login)?;
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

/// A connection to a mail server, which sends and receives lines.
struct MailConnection<'a, Stream> {
    stream: Stream,
    server: &'a Server,
}

impl MailConnection<'_, TlsStream> {
    /// Sends the token. The server may take longer to verify it than to answer the earlier commands.
    fn send_token(&mut self, login: &Login<'_>) -> Result<()> {
        self.stream.sock.allow(LOGIN_TIMEOUT);
        self.send_line(&initial_response(login.user, login.token))
    }
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
            self.stream.read_exact(&mut byte).map_err(|error| unreachable(self.server, &error))?;
            line.push(byte[0]);
        }
        Ok(for_terminal(&String::from_utf8_lossy(&line)))
    }

    /// Reads IMAP's response to a command: the first line that is tagged, or that asks the client to continue.
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

fn unusable(login: &Login<'_>, server: &Server, why: &str) -> Error {
    Error::new(ErrorKind::SignIn, format!("{server} cannot be used: {why}")).hint(format!(
        "check imap_host and smtp_host in {}, or whether a firewall changes the connection: Exchange Online supports \
         XOAUTH2 and STARTTLS",
        login.profile.file.display()
    ))
}

/// Explains a refusal by Exchange Online (Microsoft: "Fix issues with SMTP AUTH", users' reports).
fn refusal(login: &Login<'_>, server: &Server, response: &str) -> Error {
    // SMTP's reply codes that begin with 4 are temporary (RFC 5321, 4.2.1). IMAP's responses begin with a tag.
    if response.starts_with('4') {
        return Error::new(ErrorKind::TryLater, format!("{server} is temporarily unavailable: {response}"))
            .hint("try again later");
    }
    let hint = match response {
        _ if response.contains("5.7.139") => {
            "send with m365-sendmail, or ask an administrator to enable SMTP AUTH: it is disabled for the organisation or for \
             this mailbox"
        }
        _ if login.profile.grant == Grant::ClientCredentials => return mailbox_access_denied(login, server, response),
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

/// Explains that an application has no permission for the mailbox (Microsoft: "Authenticate an IMAP, POP or SMTP
/// connection using OAuth", "Register service principals in Exchange").
fn mailbox_access_denied(login: &Login<'_>, server: &Server, response: &str) -> Error {
    let (client, mailbox) = (login.profile.client_id.as_str(), login.user);
    Error::new(ErrorKind::SignIn, format!("{server} does not let the application {client} into {mailbox}: {response}"))
        .hint(format!(
            "in Exchange Online PowerShell, run `New-ServicePrincipal -AppId {client} -ObjectId OBJECT_ID` with the object ID \
             of the enterprise application (not of the app registration), then `Add-MailboxPermission -Identity {mailbox} \
             -User OBJECT_ID -AccessRights FullAccess`"
        ))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::Config;

    #[test]
    fn a_temporary_refusal_is_for_later_and_a_permanent_one_names_the_next_step() {
        let text = "client_id = '9e5f94bc-e8a4-4e73-b8be-63364c29d753'".to_owned();
        let config = Config::parse(Path::new("config.toml"), text).expect("a configuration");
        let profile = config.profile(&"mail".parse().expect("a name")).expect("a profile");
        let token = AccessToken::new("token".to_owned());
        let login = Login { profile: &profile, user: "ada@example.com", account: None, token: &token };
        let busy = "432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending";
        let error = refusal(&login, &profile.smtp_server, busy);
        assert_eq!((error.kind(), error.next_step()), (ErrorKind::TryLater, Some("try again later")));
        // As Exchange Online answers (Microsoft: "Enable or disable SMTP AUTH in Exchange Online").
        let response = "535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Tenant.";
        let error = refusal(&login, &profile.smtp_server, response);
        assert!(error.next_step().expect("a hint").starts_with("send with m365-sendmail, or ask "), "{error}");
        assert!(error.to_string().contains(response));
    }
}
