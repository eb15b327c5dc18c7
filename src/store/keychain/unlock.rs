//! Unlocks a collection where that needs no person.

use secret_service::{Collection, Error};
use zbus::Connection;
use zbus::fdo::DBusProxy;
use zbus::names::BusName;
use zbus::zvariant::OwnedObjectPath;

use super::{NO_OBJECT, SECRET_SERVICE, SERVICE_INTERFACE, SERVICE_PATH};

/// The names and object paths of KWallet, in KDE Frameworks 6 and 5.
const KWALLETS: [(&str, &str); 2] =
    [("org.kde.kwalletd6", "/modules/kwalletd6"), ("org.kde.kwalletd5", "/modules/kwalletd5")];
const KWALLET_INTERFACE: &str = "org.kde.KWallet";

/// Unlocks the collection if no window opens for it. Returns whether it is unlocked.
///
/// KWallet says that a collection is locked until the first client has unlocked it, although the login has opened the
/// wallet (kwalletd6 6.13 of Debian 13).
pub(super) async fn without_window(bus: &Connection, collection: &Collection<'_>) -> Result<bool, Error> {
    let paths = vec![&collection.collection_path];
    let reply =
        bus.call_method(Some(SECRET_SERVICE), SERVICE_PATH, Some(SERVICE_INTERFACE), "Unlock", &(paths,)).await?;
    let (_, prompt): (Vec<OwnedObjectPath>, OwnedObjectPath) = reply.body().deserialize()?;
    if prompt.as_str() != NO_OBJECT {
        // The prompt is not shown yet. KWallet needs one even for an open wallet, but then shows no window.
        let interface = Some("org.freedesktop.Secret.Prompt");
        _ = bus.call_method(Some(SECRET_SERVICE), &prompt, interface, "Dismiss", &()).await;
        let wallet = collection.get_label().await.unwrap_or_default();
        if !is_open_kwallet(bus, &wallet).await {
            return Ok(false);
        }
        collection.unlock().await?;
    }
    Ok(!collection.is_locked().await?)
}

/// Returns whether the Secret Service is a KWallet and this wallet is open.
async fn is_open_kwallet(bus: &Connection, wallet: &str) -> bool {
    for (name, path) in KWALLETS {
        if serves_secrets(bus, name).await.unwrap_or(false) {
            let reply = bus.call_method(Some(name), path, Some(KWALLET_INTERFACE), "isOpen", &wallet).await;
            return reply.and_then(|reply| reply.body().deserialize()).unwrap_or(false);
        }
    }
    false
}

/// Returns whether one program has both this name and that of the Secret Service: an open wallet says nothing about the
/// prompt of another program. Does not start a program.
async fn serves_secrets(bus: &Connection, name: &'static str) -> zbus::Result<bool> {
    let daemon = DBusProxy::new(bus).await?;
    let owner = daemon.get_name_owner(BusName::try_from(name)?).await?;
    Ok(owner == daemon.get_name_owner(BusName::try_from(SECRET_SERVICE)?).await?)
}
