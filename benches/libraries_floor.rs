//! The least that a refresh with a keychain can cost with the libraries of this project: a token is loaded, renewed and
//! saved, without a lock, a record, a cached token, a check, a lookup of the host or a retry.
//!
//! With `--record FILE`, also the least that a record and a check of the entry cost: before the token is saved, the file
//! is replaced and the entry's attributes are read, and afterwards the file is replaced again.
//!
//! usage: libraries-floor --config FILE [--record FILE]

/// As in the commands.
#[cfg(target_env = "musl")]
#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    linux::main()
}

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
mod linux {
    use std::collections::HashMap;
    use std::error::Error;
    use std::fs::File;
    use std::io::{self, BufRead as _, BufReader, Write as _};
    use std::net::Ipv4Addr;
    use std::path::{Path, PathBuf};
    use std::sync::Arc;
    use std::{env, fs, thread};

    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use clap::Parser as _;
    use reqwest::header::CONTENT_TYPE;
    use rustls::{ClientConfig, RootCertStore};
    use secret_service::{EncryptionType, SecretService};
    use serde::Deserialize;
    use tokio::net::UnixStream;

    #[derive(clap::Parser)]
    struct Arguments {
        #[arg(long)]
        config: PathBuf,
        #[arg(long)]
        record: Option<PathBuf>,
    }

    #[derive(Deserialize)]
    struct Config {
        authority: String,
        client_id: String,
        scope: String,
        /// The system's certificate authorities and that of the server.
        bundle: PathBuf,
        /// The `service` of the keychain entry.
        service: String,
    }

    #[derive(Deserialize)]
    struct Response {
        access_token: String,
        refresh_token: String,
    }

    pub(super) fn main() -> Result<(), Box<dyn Error>> {
        let Arguments { config, record } = Arguments::parse();
        let config: Config = toml::from_str(&fs::read_to_string(config)?)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let bundle = config.bundle.clone();
        let client = thread::spawn(|| client(bundle).map_err(|error| error.to_string()));
        let token = runtime.block_on(async {
            let address = env::var("DBUS_SESSION_BUS_ADDRESS")?;
            let path = address.strip_prefix("unix:path=").and_then(|address| address.split(',').next());
            let bus = UnixStream::connect(path.ok_or("the session bus has no socket")?).await?;
            let bus = zbus::connection::Builder::unix_stream(bus).build().await?;
            let service = SecretService::connect_with_existing(EncryptionType::Dh, bus).await?;
            let attributes = HashMap::from([("service", config.service.as_str()), ("username", "refresh_token")]);
            let found = service.search_items(attributes).await?;
            let entry = found.unlocked.first().ok_or("no keychain entry was found")?;
            let token = String::from_utf8(entry.get_secret().await?)?;
            let client = client.join().map_err(|_| "the thread panicked")??;
            let form = format!(
                "grant_type=refresh_token&client_id={}&refresh_token={token}&scope={}",
                config.client_id, config.scope
            );
            let request = client.post(format!("{}oauth2/v2.0/token", config.authority));
            let request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form);
            let response = request.send().await?.error_for_status()?.bytes().await?;
            let response: Response = serde_json::from_slice(&response)?;
            if let Some(record) = &record {
                replace(record)?;
                entry.get_attributes().await?;
            }
            entry.set_secret(response.refresh_token.as_bytes(), "text/plain").await?;
            if let Some(record) = &record {
                replace(record)?;
            }
            Ok::<_, Box<dyn Error>>(response.access_token)
        })?;
        Ok(writeln!(io::stdout(), "{token}")?)
    }

    /// Replaces a file of the size of a record.
    fn replace(record: &Path) -> io::Result<()> {
        let mut file = tempfile::NamedTempFile::new_in(record.parent().unwrap_or(Path::new(".")))?;
        file.write_all(&[b'#'; 600])?;
        file.persist(record)?;
        Ok(())
    }

    fn client(bundle: PathBuf) -> Result<reqwest::Client, Box<dyn Error>> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(authorities(bundle)?)
            .with_no_client_auth();
        let stand_in = (Ipv4Addr::LOCALHOST, 0).into();
        Ok(reqwest::Client::builder().tls_backend_preconfigured(tls).resolve("localhost", stand_in).build()?)
    }

    fn authorities(bundle: PathBuf) -> io::Result<RootCertStore> {
        let (mut authorities, mut encoded) = (RootCertStore::empty(), Vec::new());
        for line in BufReader::new(File::open(bundle)?).split(b'\n') {
            match line?.trim_ascii() {
                b"-----BEGIN CERTIFICATE-----" => encoded.clear(),
                b"-----END CERTIFICATE-----" => {
                    let certificate = STANDARD.decode(&encoded).map_err(io::Error::other)?;
                    authorities.add_parsable_certificates([certificate.into()]);
                }
                text => encoded.extend_from_slice(text),
            }
        }
        Ok(authorities)
    }
}
