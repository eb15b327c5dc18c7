//! `docs/aadsts.md`: the table of [`super::aadsts`], grouped by next step. Codes with the same cause share a row.

use super::Flow;
use super::aadsts::{Advice, TABLE};

const BEGINNING: &str = r#"# AADSTS codes

The number after `AADSTS` is Microsoft's reason. Messages show your own values in place of the words in capitals.

Microsoft shows some errors on its own page. The browser then does not return to `get-token`: press Ctrl-C, and look up
the code here. This happens with a wrong redirect URI (50011, 500113, 900971), client ID (700016) or tenant (50020,
50194, 90002), with an account that may not use the application (50105, 90094), with passwords (50053, 50055, 50057,
50126), and if a policy blocks the device or its location (53000 to 53003).
"#;

/// A hint, and the causes that lead to it, each with its codes.
type Group = (&'static str, Vec<(&'static str, Vec<String>)>);

/// Returns the page.
pub(crate) fn page() -> String {
    let mut groups: Vec<Group> = Vec::new();
    for Advice { code, cause, next } in TABLE {
        let hint = next.hint(Flow::Refresh);
        if !groups.iter().any(|(other, _)| *other == hint) {
            groups.push((hint, Vec::new()));
        }
        let (_, group) = groups.iter_mut().find(|(other, _)| *other == hint).expect("added above");
        match group.iter_mut().find(|(other, _)| other == cause) {
            Some((_, codes)) => codes.push(code.to_string()),
            None => group.push((cause, vec![code.to_string()])),
        }
    }
    let mut page = BEGINNING.to_owned();
    for (hint, causes) in groups {
        page += &format!("\n**{}:**\n\n", written(hint));
        for (cause, codes) in causes {
            page += &format!("- {}: {}\n", codes.join(", "), written(cause));
        }
    }
    page
}

/// A capital letter first, placeholders in capitals.
fn written(text: &str) -> String {
    let mut text = text.replace("{get_token}", "`get-token`").replace('\n', " ");
    for (placeholder, name) in [
        ("{grant}", "refresh token or code"),
        ("{profile}", "PROFILE"),
        ("{scopes}", "SCOPES"),
        ("{client_id}", "CLIENT_ID"),
        ("{tenant}", "TENANT"),
        ("{admin_consent}", "ADMIN_CONSENT_URL"),
        ("{redirect_uri}", "REDIRECT_URI"),
        ("{file}", "CONFIG_FILE"),
    ] {
        text = text.replace(placeholder, name);
    }
    assert!(!text.contains(['{', '}']), "an unknown placeholder: {text}");
    text[..1].to_uppercase() + &text[1..]
}
