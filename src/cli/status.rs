//! `get-token --status`: shows what is stored and when it expires. Does not use the network.

use serde::Serialize;
use time::OffsetDateTime;

use super::stdout::Stdout;
use super::text::{Label, Text};
use crate::config::{Config, ProfileName};
use crate::entra::{Account, REFRESH_TOKEN_DAYS};
use crate::error::{Error, ErrorKind, Result};
use crate::paths::Paths;
use crate::sanitize::for_shell;
use crate::session::{DAY, load_stored};
use crate::store::Stored;
use crate::unix_time::now;

/// One profile, as `--json` shows it. Times are seconds since 1970.
#[derive(Serialize)]
struct Status<'a> {
    profile: &'a str,
    /// Where the token is stored, if there is one.
    store: Option<String>,
    account: Option<Account>,
    issued: Option<u64>,
    last_used: Option<u64>,
    /// Until the token expires because it was not used for 90 days. An organisation may set a shorter time.
    days_left: Option<u64>,
    /// Why the store could not be read.
    error: Option<String>,
    #[serde(skip)]
    hint: Option<String>,
}

/// Prints the status of the named profiles, or of all profiles if none is named.
pub(super) fn print(stdout: Stdout, config: &Config, profiles: &[ProfileName], json: bool) -> Result<()> {
    let names: Vec<&str> = match profiles {
        [] => config.profile_names(),
        named => named.iter().map(ProfileName::as_str).collect(),
    };
    let all = names.into_iter().map(|name| status(config, name)).collect::<Result<Vec<_>>>()?;
    match json {
        true => stdout.print(
            &serde_json::to_string_pretty(&all)
                .map_err(|error| Error::new(ErrorKind::Defect, format!("cannot write JSON: {error}")))?,
        ),
        false => stdout.print_text(&all.iter().fold(Text::default(), |text, status| text.append(status.text()))),
    }
}

fn status<'a>(config: &Config, name: &'a str) -> Result<Status<'a>> {
    let profile: ProfileName = name.parse()?;
    let mut status = Status {
        profile: name,
        store: None,
        account: None,
        issued: None,
        last_used: None,
        days_left: None,
        error: None,
        hint: None,
    };
    match load_stored(&Paths::from_environment()?, &profile, &config.store_choice(&profile)?) {
        Ok(None) => {}
        Ok(Some(Stored { description, record, .. })) => {
            status.store = Some(description);
            if let Some(record) = record {
                let days = now().saturating_sub(record.last_used) / DAY;
                status.issued = Some(record.issued);
                status.last_used = Some(record.last_used);
                status.days_left = Some(REFRESH_TOKEN_DAYS.saturating_sub(days));
                status.account = record.account;
            }
        }
        Err(error) => {
            status.error = Some(error.to_string());
            status.hint = error.next_step().map(str::to_owned);
        }
    }
    Ok(status)
}

impl Status<'_> {
    fn text(&self) -> Text {
        let Some(store) = &self.store else { return self.without_token() };
        let account = super::account_name(self.account.as_ref());
        let text = Text::plain(&format!("{}: signed in as {account}", self.profile));
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

    fn without_token(&self) -> Text {
        let name = self.profile;
        let Some(error) = &self.error else {
            return Text::plain(&format!("{name}: not signed in (run `get-token --profile {}`)", for_shell(name)));
        };
        let text = Text::plain(&format!("{name}: {error}"));
        match &self.hint {
            Some(hint) => text.line("  ", Some(Label::Hint), hint),
            None => text,
        }
    }
}

fn date(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    time.map_or_else(|| "at an unknown time".to_owned(), |time| time.date().to_string())
}
