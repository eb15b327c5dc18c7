//! The least that a keychain can cost: an encrypted session in which one entry is loaded and saved.

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    use std::collections::HashMap;

    use secret_service::{EncryptionType, SecretService};

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let service = SecretService::connect(EncryptionType::Dh).await?;
        let attributes = HashMap::from([("service", "m365auth-mail"), ("username", "refresh_token")]);
        let found = service.search_items(attributes).await?;
        let entry = found.unlocked.first().ok_or("no keychain entry was found")?;
        entry.set_secret(&entry.get_secret().await?, "text/plain").await?;
        Ok(())
    })
}

#[cfg(not(target_os = "linux"))]
fn main() {}
