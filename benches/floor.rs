//! The least that a refresh can cost: one request over TLS, without a configuration, a store or the system's
//! certificate authorities. If a file is named, the response is saved in it as a refresh token must be: a power failure
//! leaves the previous content or the new one.
//!
//! usage: floor PORT PATH CA_FILE FORM_FILE [SAVED_FILE]

use std::fs::{self, File};
use std::io::{self, Read, Write, stdout};
use std::net::TcpStream;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [port, path, ca_file, form_file, saved_file @ ..] = arguments.as_slice() else {
        return Err("usage: floor PORT PATH CA_FILE FORM_FILE [SAVED_FILE]".into());
    };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca_file)? {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let client = ClientConnection::new(Arc::new(config), ServerName::try_from("localhost")?)?;
    let connection = TcpStream::connect(("127.0.0.1", port.parse()?))?;
    connection.set_nodelay(true)?; // as all HTTP clients do, because the system may delay an acknowledgement by 40 ms
    let mut server = StreamOwned::new(client, connection);
    let form = fs::read_to_string(form_file)?;
    write!(
        server,
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}",
        form.len()
    )?;
    let mut response = Vec::new();
    server.read_to_end(&mut response)?;
    if !response.starts_with(b"HTTP/1.1 200 ") {
        return Err("the server did not answer with 200".into());
    }
    if let [file] = saved_file {
        save(Path::new(file), &response)?;
    }
    stdout().write_all(&response)?;
    Ok(())
}

fn save(path: &Path, response: &[u8]) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(response)?;
    file.sync_all()?;
    fs::rename(new, path)?;
    File::open(path.parent().unwrap_or(path))?.sync_all()
}
