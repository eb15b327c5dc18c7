//! The state of the default collection. It can be queried without a session, so that no time is lost while the key of the
//! session is computed.

use secret_service::Error;
use zbus::Connection;
use zbus::zvariant::{OwnedObjectPath, OwnedValue};

use super::{NO_OBJECT, SECRET_SERVICE, SERVICE_INTERFACE, SERVICE_PATH};

/// The default collection, where a new entry is created.
pub(super) struct DefaultCollection {
    pub(super) path: OwnedObjectPath,
    pub(super) is_locked: bool,
}

impl DefaultCollection {
    /// Queries the service. Returns None if the keychain was never set up.
    pub(super) async fn query(bus: &Connection) -> Result<Option<Self>, Error> {
        let (interface, alias) = (Some(SERVICE_INTERFACE), ("default",));
        let reply = bus.call_method(Some(SECRET_SERVICE), SERVICE_PATH, interface, "ReadAlias", &alias).await?;
        let path: OwnedObjectPath = reply.body().deserialize()?;
        if path.as_str() == NO_OBJECT {
            return Ok(None);
        }
        let (interface, property) =
            ("org.freedesktop.DBus.Properties", ("org.freedesktop.Secret.Collection", "Locked"));
        let reply = bus.call_method(Some(SECRET_SERVICE), &path, Some(interface), "Get", &property).await?;
        let is_locked = reply.body().deserialize::<OwnedValue>()?.try_into()?;
        Ok(Some(Self { path, is_locked }))
    }
}
