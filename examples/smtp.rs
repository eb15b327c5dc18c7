//! Sends a mail to an address with lettre, after a sign-in with `get-token`: `smtp ADDRESS`.

use anyhow::Context as _;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::{Message, SmtpTransport, Transport as _};
use m365auth::Session;

fn main() -> anyhow::Result<()> {
    let recipient = std::env::args().nth(1).context("usage: smtp ADDRESS")?;
    let session = Session::builder().open("mail")?;
    let access = session.access_token()?;
    let account = access.account().map(|account| account.name.as_str());
    let user = session.profile().username().or(account).unwrap_or_default().to_owned();

    let mail = Message::builder()
        .from(user.parse()?)
        .to(recipient.parse()?)
        .subject("Compilers")
        .body("A mail for the test.\n".to_owned())?;
    let server = session.profile().smtp_server();
    let smtp = SmtpTransport::starttls_relay(server.host())?
        .port(server.port())
        .authentication(vec![Mechanism::Xoauth2])
        .credentials(Credentials::new(user, access.into_token().into_secret()))
        .build();
    smtp.send(&mail)?;
    Ok(())
}
