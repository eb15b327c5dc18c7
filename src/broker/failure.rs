//! The broker's errors. All their texts are untrusted.

use serde_json::Value;

use super::request::REDIRECT_URI;
use crate::config::Profile;
use crate::entra::{Flow, refusal};
use crate::error::{Error, ErrorKind, Refusal};
use crate::sanitize::for_terminal;

/// The values of `status`, as the clients of the broker name them.
#[rustfmt::skip] // one value per line
static STATUSES: &[(ErrorKind, &str)] = &[
    (ErrorKind::Protocol, "reported an unexpected error"),
    (ErrorKind::Protocol, "reported an error of unknown meaning"),
    (ErrorKind::SignIn, "requires an interactive sign-in"),
    (ErrorKind::TryLater, "has no network connection"),
    (ErrorKind::TryLater, "cannot reach the network at the moment"),
    (ErrorKind::TryLater, "says that Microsoft's server is temporarily unavailable"),
    (ErrorKind::Configuration, "does not accept the request"),
    (ErrorKind::SignIn, "says that the sign-in was cancelled"),
    (ErrorKind::SignIn, "cancelled the sign-in"),
    (ErrorKind::Configuration, "does not accept the configuration of the app registration"),
    (ErrorKind::Protocol, "ran out of space for its answer"),
    (ErrorKind::Configuration, "does not trust the authority"),
    (ErrorKind::Protocol, "says that the user was switched"),
    (ErrorKind::SignIn, "cannot use the account"),
    (ErrorKind::Protocol, "was told to remove the user's data"),
    (ErrorKind::SignIn, "no longer has the key of the account"),
    (ErrorKind::SignIn, "does not know the account"),
    (ErrorKind::TryLater, "reported a temporary error"),
    (ErrorKind::SignIn, "says that another account signed in"),
    (ErrorKind::Protocol, "needs another broker that is missing"),
    (ErrorKind::SignIn, "says that this device is not registered"),
    (ErrorKind::Protocol, "does not support this request"),
];

/// Returns what an error of the broker says. `response` is the object that contains it.
pub(super) fn parse(error: &Value, response: &Value) -> Refusal {
    let context = error["context"].as_str().or_else(|| error.as_str()).unwrap_or_default();
    let quoted = |name: &str| {
        let (_, rest) = context.split_once(&format!("{name}: '"))?;
        rest.split_once('\'').map(|(value, _)| for_terminal(value)).filter(|value| !value.is_empty())
    };
    // The broker leaves out what may identify a person.
    let description = quoted("description").filter(|text| text != "(pii)").unwrap_or_default();
    let suberror = quoted("suberror").or_else(|| response["subError"].as_str().map(for_terminal));
    Refusal {
        suberror: suberror.filter(|suberror| !suberror.is_empty()),
        code: refusal::aadsts_code(context),
        correlation_id: quoted("correlation id"),
        description: for_terminal(context),
        broker_status: error["status"].as_u64(),
        ..Refusal::from_redirect(&quoted("Code").unwrap_or_default(), &description)
    }
}

/// Converts an error of the broker into one with a cause and a hint.
pub(crate) fn into_error(refusal: Refusal, profile: &Profile, flow: Flow) -> Error {
    log::info!("the identity broker's error: {}", refusal.description);
    let row = refusal.broker_status.and_then(|status| STATUSES.get(usize::try_from(status).ok()?));
    let kind = match row {
        _ if refusal::is_transient(&refusal) => ErrorKind::TryLater,
        Some((kind, _)) => *kind,
        // An old broker reports only the OAuth error.
        None if !refusal.error.is_empty() => refusal::kind_of(&refusal),
        None => ErrorKind::Protocol,
    };
    if refusal::is_known(&refusal) {
        return refusal::explain(refusal, kind, profile, flow).with_context("identity broker");
    }
    let what = row.map_or("reported an error", |(_, what)| what);
    let shown = match refusal.broker_status {
        _ if !refusal.description.is_empty() => format!(": \"{}\"", shorten(&refusal.description)),
        Some(status) => format!(" (status {status})"),
        None => String::new(),
    };
    let hint = match kind {
        ErrorKind::SignIn => format!("run `get-token --profile {:#}` in your desktop session", profile.name),
        ErrorKind::TryLater => "try again later".to_owned(),
        ErrorKind::Configuration => format!(
            "compare client_id, tenant and scopes in {} with the app registration, which must list {REDIRECT_URI} under \
             \"Mobile and desktop applications\"",
            profile.file.display()
        ),
        _ => PERSISTS.to_owned(),
    };
    Error::new(kind, format!("the identity broker {what}{shown}")).hint(hint).with_refusal(refusal)
}

const PERSISTS: &str =
    "try again; if this persists, report it with the version of the broker that `get-token --check` shows";

/// Returns the error for an answer that does not follow the protocol.
pub(super) fn unexpected(why: &str) -> Error {
    Error::new(ErrorKind::Protocol, format!("unexpected answer from the identity broker: {why}")).hint(PERSISTS)
}

/// Shortens a text to a length that a message has room for.
fn shorten(text: &str) -> String {
    const LONGEST: usize = 300;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
