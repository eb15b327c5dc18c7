//! Counts the mails in INBOX with async-imap, after a sign-in with `get-token`.
#![allow(clippy::disallowed_macros, reason = "an example prints")]

use std::sync::Arc;

use async_imap::{Authenticator, Client};
use m365auth::Session;
use rustls::{ClientConfig, crypto::ring};
use rustls_platform_verifier::BuilderVerifierExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// The response to the first challenge. A server that refuses the token sends a second one, and expects an empty
/// response (Microsoft: "Authenticate an IMAP, POP or SMTP connection using OAuth").
struct Xoauth2(Option<String>);

impl Authenticator for Xoauth2 {
    type Response = String;

    fn process(&mut self, _challenge: &[u8]) -> String {
        self.0.take().unwrap_or_default()
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let session = Arc::new(Session::builder().open("mail")?);
    let access = session.access_token_async().await?;
    let account = access.account().map(|account| account.name.as_str());
    let user = session.profile().username().or(account).unwrap_or_default();

    let server = session.profile().imap_server();
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_platform_verifier()?
        .with_no_client_auth();
    let stream = TcpStream::connect((server.host(), server.port())).await?;
    let stream = TlsConnector::from(Arc::new(tls)).connect(server.host().to_owned().try_into()?, stream).await?;

    let mut client = Client::new(stream);
    client.read_response().await?; // the greeting
    let response = format!("user={user}\x01auth=Bearer {}\x01\x01", access.token().secret());
    let mut imap = client.authenticate("XOAUTH2", Xoauth2(Some(response))).await.map_err(|(error, _)| error)?;
    println!("mails in INBOX: {}", imap.examine("INBOX").await?.exists);
    imap.logout().await?;
    Ok(())
}
