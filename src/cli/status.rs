//! `get-token --status`: shows what is stored, when it expires, and whether a person must act. Does not use the
//! network itself. The identity broker does, when it is asked for a token.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use serde::Serialize;
use time::OffsetDateTime;

use super::stdout::Stdout;
use super::text::{Label, Text};
use crate::check::{self, BrokerState};
use crate::config::{Config, Grant, Profile, ProfileName};
use crate::config_flag;
use crate::entra::{Account, ClientCertificate, REFRESH_TOKEN_DAYS};
use crate::error::{Error, ErrorKind, Result};
use crate::sanitize::for_shell;
use crate::session::{DAY, Session, StoredState, stored_state};
use crate::store::{RecordedRefusal, Stored};
use crate::unix_time::now;

/// How long the identity broker may take for one profile.
const BROKER_TIMEOUT: Duration = Duration::from_secs(10);

/// One profile, as `--json` shows it. Times are seconds since 1970.
#[derive(Serialize)]
struct Status<'a> {
    profile: &'a str,
    state: State,
    /// Where the token is stored, if there is one.
    store: Option<String>,
    account: Option<Account>,
    issued: Option<u64>,
    last_used: Option<u64>,
    /// Days until the token expires if it is not used. An organisation may set a shorter time than 90 days.
    days_left: Option<u64>,
    /// Why the state is what it is, unless it is `ok` or `not_signed_in`.
    error: Option<String>,
    #[serde(skip)]
    hint: Option<String>,
    /// When the client certificate expires, if there is one.
    certificate_expires: Option<u64>,
    /// The last refusal that a person must resolve.
    refusal: Option<Refusal>,
    /// What the identity broker says, if the tokens come from it.
    broker: Option<Broker>,
    #[serde(skip)]
    grant: Grant,
    #[serde(skip)]
    client_id: String,
}

/// The identity broker. Experimental.
#[derive(Serialize)]
struct Broker {
    version: Option<String>,
    accounts: Vec<String>,
    /// Whether it returns an access token without a window.
    silent: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum State {
    Ok,
    /// A person must sign in.
    SignInNeeded,
    /// The configuration or the app registration must be changed.
    Configuration,
    NotSignedIn,
    /// The store did not answer.
    Unknown,
}

#[derive(Serialize)]
struct Refusal {
    at: u64,
    exit: u8,
    aadsts: Option<u32>,
    message: String,
    hint: Option<String>,
    reference: Option<String>,
    #[serde(skip)]
    policy: bool,
}

/// Prints the status of the named profiles, or of all profiles if none is named. Returns the exit code.
pub(super) fn print(stdout: Stdout, config: &Config, profiles: &[ProfileName], json: bool) -> Result<ExitCode> {
    let names: Vec<&str> = match profiles {
        [] => config.profile_names(),
        named => named.iter().map(ProfileName::as_str).collect(),
    };
    let all = names.into_iter().map(|name| status(config, name)).collect::<Result<Vec<_>>>()?;
    match json {
        true => stdout.print_json(&all)?,
        false => stdout.show(&all.iter().fold(Text::default(), |text, status| text.append(status.text())))?,
    }
    Ok(exit_code(&all, !profiles.is_empty()))
}

/// Returns the exit code of the state that matters most. A missing sign-in counts only for a profile that was
/// named.
fn exit_code(all: &[Status<'_>], are_named: bool) -> ExitCode {
    let is = |state| all.iter().any(|status| status.state == state);
    let kind = if is(State::Configuration) {
        ErrorKind::Configuration
    } else if is(State::SignInNeeded) || are_named && is(State::NotSignedIn) {
        ErrorKind::SignIn
    } else if is(State::Unknown) {
        ErrorKind::Unavailable
    } else {
        return ExitCode::SUCCESS;
    };
    kind.exit_code().into()
}

fn status<'a>(config: &Config, name: &'a str) -> Result<Status<'a>> {
    let profile: ProfileName = name.parse()?;
    let mut status = Status {
        profile: name,
        state: State::NotSignedIn,
        store: None,
        account: None,
        issued: None,
        last_used: None,
        days_left: None,
        error: None,
        hint: None,
        certificate_expires: None,
        refusal: None,
        broker: None,
        grant: Grant::default(),
        client_id: String::new(),
    };
    let configured = config.profile(&profile);
    if configured.as_ref().is_ok_and(|profile| profile.grant == Grant::Broker) {
        status.set_broker(&Session::open(config, &profile)?.impatient(Instant::now() + BROKER_TIMEOUT));
        return Ok(status);
    }
    let StoredState { stored, refusal, mismatch } = stored_state(config, &profile, configured.as_ref().ok())?;
    status.refusal = refusal.map(Refusal::from);
    match stored {
        Ok(None) => {}
        Ok(Some(stored)) => status.set_token(stored),
        Err(error) => status.set_error(&error),
    }
    match configured {
        Ok(profile) => status.set_client(&profile),
        Err(error) => status.set_error(&error),
    }
    if status.state == State::Ok {
        mismatch.iter().for_each(|error| status.set_error(error));
    }
    if status.state == State::Ok
        && let Some(refusal) = &status.refusal
    {
        status.state = State::of(refusal.exit);
        (status.error, status.hint) = (Some(refusal.message.clone()), refusal.hint.clone());
    }
    Ok(status)
}

impl State {
    /// Returns the state of a profile whose refresh fails with this exit code.
    fn of(exit: u8) -> Self {
        match exit {
            exit if exit == ErrorKind::SignIn.exit_code() => Self::SignInNeeded,
            exit if exit == ErrorKind::Configuration.exit_code() => Self::Configuration,
            _ => Self::Unknown,
        }
    }
}

impl Status<'_> {
    fn set_token(&mut self, Stored { description, record, .. }: Stored) {
        self.state = State::Ok;
        self.store = Some(description);
        if let Some(record) = record {
            let days = now().saturating_sub(record.last_used) / DAY;
            self.issued = Some(record.issued);
            self.last_used = Some(record.last_used);
            self.days_left = Some(REFRESH_TOKEN_DAYS.saturating_sub(days));
            self.account = record.account;
        }
    }

    fn set_client(&mut self, profile: &Profile) {
        self.client_id = profile.client_id.to_string();
        self.grant = profile.grant;
        if profile.grant == Grant::ClientCredentials {
            self.state = State::Ok;
        }
        match ClientCertificate::of(profile) {
            Ok(None) => {}
            Ok(Some(certificate)) => {
                self.certificate_expires = Some(certificate.expires);
                let expired = certificate.expiring(profile).filter(|_| certificate.has_expired());
                expired.iter().for_each(|error| self.set_error(error));
            }
            Err(error) => self.set_error(&error),
        }
    }

    fn set_broker(&mut self, session: &Session) {
        let record = session.stores().broker_record();
        self.grant = Grant::Broker;
        self.client_id = session.profile().client_id.to_string();
        self.refusal = session.stores().refusal().map(Refusal::from);
        self.store = record.as_ref().map(|_| "the identity broker".to_owned());
        if let Some(record) = record {
            self.state = State::Ok;
            (self.issued, self.last_used, self.account) = (Some(record.issued), Some(record.last_used), record.account);
        }
        let silent = check::broker_state(session).and_then(|BrokerState { version, accounts, .. }| {
            self.broker = Some(Broker { version, accounts, silent: false });
            if self.state == State::Ok { check::silent_token(session) } else { Ok(()) }
        });
        match (silent, &mut self.broker) {
            (Ok(()), Some(broker)) if self.state == State::Ok => {
                broker.silent = true;
                self.refusal = None; // it is resolved
            }
            (Err(error), _) => self.set_error(&error),
            _ => {}
        }
    }

    fn set_error(&mut self, error: &Error) {
        self.state = State::of(error.kind().exit_code());
        self.error = Some(error.to_string());
        self.hint = error.next_step().map(str::to_owned);
    }

    fn text(&self) -> Text {
        let name = self.profile;
        let text = match (self.state, &self.refusal, &self.error) {
            (State::Ok, ..) if self.grant == Grant::ClientCredentials => {
                Text::plain(&format!("{name}: client {} requests tokens for itself; nobody signs in", self.client_id))
            }
            (State::Ok, ..) => {
                Text::plain(&format!("{name}: signed in as {}", super::account_name(self.account.as_ref())))
            }
            (State::NotSignedIn, ..) => {
                Text::plain(&format!("{name}: not signed in (run `get-token --profile {}`)", for_shell(name)))
            }
            (state, Some(refusal), Some(error)) if refusal.message == *error => {
                let what = if refusal.policy { "blocked by a policy" } else { state.needed() };
                Text::plain(&format!("{name}: {what}{}", refusal.since()))
                    .append(self.with_hint(Text::default().line("  ", None, error)))
            }
            (_, _, error) => self.with_hint(Text::plain(&format!("{name}: {}", error.as_deref().unwrap_or_default()))),
        };
        let text = if self.grant == Grant::Broker { self.with_broker(text) } else { self.with_dates(text) };
        match &self.refusal {
            Some(refusal) if refusal.policy => text.append(self.for_the_help_desk(refusal)),
            _ => text,
        }
    }

    fn with_hint(&self, text: Text) -> Text {
        match &self.hint {
            Some(hint) => text.line("  ", Some(Label::Hint), hint),
            None => text,
        }
    }

    fn with_broker(&self, text: Text) -> Text {
        let Some(Broker { version, accounts, silent }) = &self.broker else { return text };
        let version = version.as_ref().map_or_else(String::new, |version| format!(" {version}"));
        let known = if accounts.is_empty() { "no account".to_owned() } else { accounts.join(", ") };
        let text = text.line("  ", None, &format!("identity broker{version} (experimental), signed in: {known}"));
        match (silent, self.last_used) {
            (true, Some(last_used)) => text.line(
                "  ",
                None,
                &format!("it returns access tokens without a sign-in; last used {}", date(last_used)),
            ),
            _ => text,
        }
    }

    fn with_dates(&self, text: Text) -> Text {
        let text = match self.certificate_expires {
            Some(expires) => text.line("  ", None, &format!("client certificate expires {}", date(expires))),
            None => text,
        };
        let Some(store) = &self.store else { return text };
        let text = text.line("  ", None, &format!("refresh token in {store}"));
        let (Some(issued), Some(last_used), Some(days)) = (self.issued, self.last_used, self.days_left) else {
            return text;
        };
        let expires = match days {
            0 => format!("probably expired: not used for {REFRESH_TOKEN_DAYS} days"),
            1 => "expires if not used within 1 day".to_owned(),
            days => format!("expires if not used within {days} days"),
        };
        text.line("  ", None, &format!("issued {}, last used {}, {expires}", date(issued), date(last_used)))
    }

    /// Returns a paragraph for a ticket: what an administrator looks for in the sign-in logs.
    fn for_the_help_desk(&self, refusal: &Refusal) -> Text {
        let account = super::account_name(self.account.as_ref());
        let client_id = &self.client_id;
        let reference = refusal.reference.as_ref().map_or_else(String::new, |ids| format!(" Latest reference: {ids}"));
        // Microsoft's own sentence ends the message with its quotation mark.
        let stop = if refusal.message.ends_with('"') { "" } else { "." };
        Text::plain("  For your IT department:").line(
            "  ",
            None,
            &format!(
                "The application with the client ID {client_id} cannot get a token for {account} since {}: \
                 {}{stop}{reference}",
                time(refusal.at),
                refusal.message
            ),
        )
    }
}

impl State {
    fn needed(self) -> &'static str {
        if self == Self::Configuration { "configuration change needed" } else { "sign-in needed" }
    }
}

impl Refusal {
    /// Returns when the refusal came, and its code.
    fn since(&self) -> String {
        let code = self.aadsts.map_or_else(String::new, |code| format!(" (AADSTS{code})"));
        format!(" since {}{code}", time(self.at))
    }
}

impl From<RecordedRefusal> for Refusal {
    fn from(RecordedRefusal { at, exit, aadsts, message, hint, reference, policy }: RecordedRefusal) -> Self {
        let hint = hint.as_deref().map(config_flag::repeat);
        Self { at, exit, aadsts, message, hint, reference, policy }
    }
}

fn date(seconds: u64) -> String {
    utc(seconds).map_or_else(|| "at an unknown time".to_owned(), |time| time.date().to_string())
}

/// Returns the time to the minute.
fn time(seconds: u64) -> String {
    let format = |time: OffsetDateTime| format!("{} {:02}:{:02} UTC", time.date(), time.hour(), time.minute());
    utc(seconds).map_or_else(|| "an unknown time".to_owned(), format)
}

fn utc(seconds: u64) -> Option<OffsetDateTime> {
    i64::try_from(seconds).ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
}
