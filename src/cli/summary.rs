//! What a sign-in prints at its end: whose token is stored where, what was granted, and what to do next.

use std::iter;

use super::account_name;
use super::stderr::{is_terminal, print, print_text};
use super::text::{Label, Text};
use crate::config::Profile;
use crate::config_flag;
use crate::entra::permission;
use crate::session::{Session, SignedIn};
use crate::sign_in::SignInOutcome;

/// Prints the summary of a sign-in, for the leading profile and those that it served too.
pub(super) fn print_summary(sessions: &[Session], outcome: &SignInOutcome) {
    // Another user of this machine could have completed the sign-in, so the first line always names the account.
    let others = outcome.others.iter().map(|(name, served)| (name, served));
    let mut all = iter::once((&sessions[0].profile().name, &outcome.first)).chain(others);
    if let Some((name, signed_in)) = all.find_map(|(name, served)| Some((name, served.as_ref().ok()?))) {
        print(&format!("Signed in as {} (profile \"{name}\").", account_name(signed_in.access.account.as_ref())));
    }
    if let Ok(first) = &outcome.first {
        let profile = sessions[0].profile();
        print(&match first.refresh_token {
            Some(_) => format!("Refresh token saved in {}.", location(first)),
            None => format!("Access tokens come from {}.", location(first)),
        });
        print_granted(profile, first);
    }
    for (name, served) in &outcome.others {
        match served {
            Ok(signed_in) => {
                print(&match signed_in.refresh_token {
                    Some(_) => format!("Refresh token for \"{name}\" saved in {}.", location(signed_in)),
                    None => format!("Access tokens for \"{name}\" come from {}.", location(signed_in)),
                });
                let session = sessions.iter().find(|session| session.profile().name == *name);
                session.into_iter().for_each(|session| print_granted(session.profile(), signed_in));
            }
            Err(error) => {
                print_text(&Text::failure(Label::Warning, &format!("no token for the profile \"{name}\": "), error));
            }
        }
    }
    if outcome.first.is_ok() && is_terminal() {
        print_next_steps(sessions[0].profile());
    }
}

fn location(signed_in: &SignedIn) -> String {
    let note = if signed_in.in_file { " (not encrypted; only you can read the file)" } else { "" };
    format!("{}{note}", signed_in.location)
}

/// Prints the granted permissions, and a warning of those that are missing.
fn print_granted(profile: &Profile, signed_in: &SignedIn) {
    let granted = &signed_in.access.scopes;
    let names: Vec<&str> = granted.iter().map(permission::name).filter(|name| name.contains('.')).map(short).collect();
    if !names.is_empty() {
        print(&format!("Granted: {}.", names.join(", ")));
    }
    let missing = permission::missing(&profile.scopes, granted);
    if !missing.is_empty() {
        let text = format!(
            "Microsoft did not grant {} to the profile \"{}\": consent to it in the browser, or ask an administrator",
            missing.join(", "),
            profile.name
        );
        print_text(&Text::with_label(Label::Warning, &text));
    }
}

/// Shortens the permissions of mail programs to their protocol.
fn short(name: &str) -> &str {
    let protocols = ["IMAP", "POP", "SMTP", "EWS"];
    protocols.into_iter().find(|protocol| permission::is_for(name, protocol)).unwrap_or(name)
}

fn print_next_steps(profile: &Profile) {
    let (name, config) = (&profile.name, config_flag::for_any_folder());
    let asks = |protocol| profile.scopes.iter().any(|scope| permission::is_for(permission::name(scope), protocol));
    let steps = [
        (asks("IMAP"), "mbsync", format!("PassCmd \"refresh-token{config} --profile {name:#}\"")),
        (asks("SMTP"), "msmtp", format!("passwordeval \"refresh-token{config} --profile {name:#}\"")),
        (!asks("IMAP") && !asks("SMTP"), "a script", format!("refresh-token{config} --profile {name:#}")),
        (true, "test it", format!("get-token{config} --check --profile {name:#}")),
    ];
    let lines = steps.iter().filter(|(applies, ..)| *applies);
    let lines = lines.map(|(_, what, line)| Text::unwrapped(&format!("  {what:9} {line}")));
    print_text(&lines.fold(Text::plain("\nNext:"), Text::append));
}
