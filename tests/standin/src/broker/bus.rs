//! The double's side of D-Bus. Messages are answered by hand, because zbus's object server can always be introspected.

use std::sync::Arc;
use std::thread::JoinHandle;

use serde_json::Value;
use zbus::blocking::{Connection, MessageIterator, connection};
use zbus::message::{Message, Type};

use super::{BrokerAnswer, BrokerCall, BrokerVersion, Shared, response};

const NAME: &str = "com.microsoft.identity.broker1";
const PATH: &str = "/com/microsoft/identity/broker1";
const INTERFACE: &str = "com.microsoft.identity.Broker1";
const INTROSPECTABLE: &str = "org.freedesktop.DBus.Introspectable";
/// The flag that makes `RequestName` fail if the name is taken.
const DO_NOT_QUEUE: u32 = 4;

const METHODS: [&str; 6] = [
    "acquireTokenInteractively",
    "acquireTokenSilently",
    "getAccounts",
    "removeAccount",
    "acquirePrtSsoCookie",
    "getLinuxBrokerVersion",
];

/// What a call gets: the answer, or the name and the text of a D-Bus error.
pub(super) type Reply = Result<String, (&'static str, String)>;

/// Connects to the bus, takes the broker's name and answers calls in a thread.
pub(super) fn serve(address: &str, shared: Arc<Shared>) -> zbus::Result<(Connection, JoinHandle<()>)> {
    let connection = connection::Builder::address(address)?.build()?;
    let messages = MessageIterator::from(&connection);
    let bus = "org.freedesktop.DBus";
    connection.call_method(Some(bus), "/org/freedesktop/DBus", Some(bus), "RequestName", &(NAME, DO_NOT_QUEUE))?;
    let answering = connection.clone();
    let thread = std::thread::spawn(move || {
        for message in messages {
            let Ok(message) = message else { break };
            if message.message_type() == Type::MethodCall {
                answer(&answering, &message, &shared);
            }
        }
    });
    Ok((connection, thread))
}

fn answer(connection: &Connection, message: &Message, shared: &Shared) {
    let header = message.header();
    let method = header.member().map(ToString::to_string).unwrap_or_default();
    let request = message.body().deserialize::<(String, String, String)>();
    let json = request.as_ref().ok().and_then(|(_, _, request)| serde_json::from_str(request).ok());
    let next = {
        let mut state = shared.state();
        let next = state.answers.iter().position(|(of, _)| *of == method);
        next.and_then(|index| state.answers.remove(index)).map(|(_, answer)| answer)
    };
    let reply = match next {
        Some(BrokerAnswer::Silence) => None,
        Some(BrokerAnswer::Error(name)) => Some(Err((name, "injected".to_owned()))),
        Some(BrokerAnswer::Text(text)) => Some(Ok(text)),
        None => Some(reply(message, &method, request, json.as_ref(), shared)),
    };
    let refused = match &reply {
        Some(Err((name, text))) => Some(format!("{name}: {text}")),
        Some(Ok(text)) if text.contains("\"error\"") => Some(text.clone()),
        _ => None,
    };
    shared.state().calls.push(BrokerCall { method, request: json.unwrap_or(Value::Null), refused });
    // An error means that the caller or the bus is gone.
    let _ = match reply {
        None => Ok(()),
        Some(Ok(text)) => connection.reply(&header, &text).map(drop),
        Some(Err((name, text))) => connection.reply_error(&header, name, &text).map(drop),
    };
}

fn reply(
    message: &Message,
    method: &str,
    request: zbus::Result<(String, String, String)>,
    json: Option<&Value>,
    shared: &Shared,
) -> Reply {
    let header = message.header();
    let interface = header.interface().map(|interface| interface.as_str());
    if header.path().map(|path| path.as_str()) != Some(PATH) {
        return Err(("org.freedesktop.DBus.Error.UnknownObject", "no such object".to_owned()));
    }
    if interface == Some(INTROSPECTABLE) && shared.version == BrokerVersion::V2_0_1 {
        return Ok(description());
    }
    if interface != Some(INTERFACE) {
        return Err(("org.freedesktop.DBus.Error.UnknownInterface", "no such interface".to_owned()));
    }
    if !METHODS.contains(&method) {
        return Err(("org.freedesktop.DBus.Error.UnknownMethod", "no such method".to_owned()));
    }
    let invalid = |what: &str| ("org.freedesktop.DBus.Error.InvalidArgs", what.to_owned());
    let (protocol, correlation_id, _) = request.map_err(|_| invalid("the signature is sss"))?;
    if protocol != "0.0" {
        return Err(invalid("the protocol version is 0.0"));
    }
    let is_uuid = uuid::Uuid::parse_str(&correlation_id).is_ok_and(|uuid| uuid.to_string() == correlation_id);
    if !is_uuid {
        return Err(invalid("the correlation ID is a UUID in lower case"));
    }
    let json = json.ok_or_else(|| invalid("the request is not JSON"))?;
    response::of(method, &correlation_id, json, shared)
}

fn description() -> String {
    let arguments = "<arg type='s' direction='in'/>".repeat(3) + "<arg type='s' direction='out'/>";
    let methods: String =
        METHODS.iter().map(|method| format!("<method name='{method}'>{arguments}</method>")).collect();
    format!("<node><interface name='{INTERFACE}'>{methods}</interface></node>")
}
