//! Calls to the broker over D-Bus.

use std::time::Duration;

use zbus::Connection;

use super::CallError;
use crate::runtime::Runtime;
use crate::sanitize::for_terminal;
use crate::{runtime, session_bus};

const NAME: &str = "com.microsoft.identity.broker1";
const PATH: &str = "/com/microsoft/identity/broker1";
const INTERFACE: &str = "com.microsoft.identity.Broker1";
const PROTOCOL_VERSION: &str = "0.0";

/// The names of the bus's errors for a service that is not installed or cannot be started (D-Bus specification,
/// "Message Bus Starting Services").
const ABSENT: [&str; 3] = ["ServiceUnknown", "NameHasNoOwner", "Spawn."];
/// The names of errors that may pass: a broker that does not respond, and himmelblau's error for every failure.
const TRANSIENT: [&str; 5] = ["NoReply", "Timeout", "TimedOut", "Failed", "Disconnected"];

/// A connection to the session bus.
pub(super) struct Bus {
    connection: Connection,
    runtime: Runtime,
}

impl Bus {
    pub(super) fn connect(limit: Duration) -> Result<Self, CallError> {
        let runtime = runtime::new().map_err(|error| CallError::Transient(error.to_string()))?;
        let connection = runtime.block_on(async { tokio::time::timeout(limit, session_bus::connect()).await });
        let connection = connection.map_err(|_| CallError::Transient("the session bus does not respond".to_owned()))?;
        Ok(Self { connection: connection.map_err(CallError::Absent)?, runtime })
    }

    /// Calls a method of the broker. It is never introspected: newer brokers refuse that
    /// (IsmaelMartinez/teams-for-linux#2047).
    pub(super) fn call(&self, method: &str, request: &str, limit: Duration) -> Result<String, CallError> {
        let correlation_id = uuid::Uuid::new_v4().to_string();
        log::info!("identity broker: {method}, correlation ID {correlation_id}");
        let arguments = (PROTOCOL_VERSION, correlation_id, request);
        let call = self.connection.call_method(Some(NAME), PATH, Some(INTERFACE), method, &arguments);
        let reply = self.runtime.block_on(async { tokio::time::timeout(limit, call).await });
        let reply = reply.map_err(|_| CallError::TimedOut)?.map_err(|error| of_bus(&error))?;
        match reply.body().deserialize::<String>() {
            // himmelblau's answer for some failures.
            Ok(answer) if answer.is_empty() => Err(CallError::Transient("it returned an empty answer".to_owned())),
            Ok(answer) => Ok(answer),
            Err(_) => Err(CallError::Other("its answer is not text".to_owned())),
        }
    }
}

/// Returns the error of a call by the name of the D-Bus error.
fn of_bus(error: &zbus::Error) -> CallError {
    let zbus::Error::MethodError(name, text, _) = error else {
        return CallError::Transient(session_bus::first_line(error)); // the connection broke
    };
    let short = name.as_str().strip_prefix("org.freedesktop.DBus.Error.").unwrap_or_default();
    let text = text.as_deref().map(for_terminal).unwrap_or_default();
    let shown = format!("{}: {text}", for_terminal(name.as_str()));
    if ABSENT.iter().any(|absent| short.starts_with(absent)) {
        CallError::Absent(shown)
    } else if TRANSIENT.contains(&short) {
        CallError::Transient(shown)
    } else {
        CallError::Other(shown)
    }
}
