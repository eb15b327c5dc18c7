//! A desktop notification (Desktop Notifications Specification 1.2).

use std::collections::HashMap;
use std::time::Duration;

use zbus::proxy::{Builder, CacheProperties, MethodFlags};
use zbus::zvariant::Value;

use crate::sanitize::for_terminal;
use crate::{runtime, session_bus};

/// The time limit of a notification. A desktop that hangs must not delay a mail program.
const TIMEOUT: Duration = Duration::from_secs(1);
const NAME: &str = "org.freedesktop.Notifications";
/// The service decides how long the notification is shown.
const DEFAULT_EXPIRATION: i32 = -1;

/// Shows a notification. Never starts a notification service: a server may have one installed that nobody looks at.
///
/// # Errors
///
/// Why none is shown.
pub(super) fn show(summary: &str, text: &str) -> Result<(), String> {
    let runtime = runtime::new().map_err(|error| error.to_string())?;
    let shown =
        runtime.block_on(async { tokio::time::timeout(TIMEOUT, notify(&for_terminal(summary), &body(text))).await });
    shown.unwrap_or_else(|_| Err("the notification service does not respond".to_owned()))
}

/// Returns the text to send to the service, with markup escaped: the text contains Microsoft's own sentence, and the
/// service may interpret markup.
fn body(text: &str) -> String {
    text.lines().map(|line| escape_markup(&for_terminal(line))).collect::<Vec<_>>().join("\n")
}

/// Escapes what begins markup ("Markup" in the specification).
fn escape_markup(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

async fn notify(summary: &str, body: &str) -> Result<(), String> {
    let connection = session_bus::connect().await?;
    let call = async {
        let builder = Builder::<zbus::Proxy<'_>>::new(&connection).destination(NAME)?.interface(NAME)?;
        let proxy =
            builder.path("/org/freedesktop/Notifications")?.cache_properties(CacheProperties::No).build().await?;
        let (actions, hints): (&[&str], HashMap<&str, Value<'_>>) = (&[], HashMap::new());
        let arguments = ("M365-Auth", 0_u32, "dialog-password", summary, body, actions, hints, DEFAULT_EXPIRATION);
        proxy.call_with_flags::<_, _, u32>("Notify", MethodFlags::NoAutoStart.into(), &arguments).await
    };
    call.await.map(drop).map_err(|error| session_bus::first_line(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_removed_from_a_body_and_markup_is_escaped() {
        assert_eq!(body("<b>a\u{1b}[1m</b> &amp;\r\n\u{202e}b"), "&lt;b&gt;a [1m&lt;/b&gt; &amp;amp;\nb");
    }
}
