//! `get-token --status`: what is stored, and for how long it is good. No network.

use serde::Serialize;
use time::OffsetDateTime;

use crate::config::{Config, ProfileName};
use crate::entra::{Account, REFRESH_TOKEN_DAYS};
use crate::error::{Error, ErrorKind, Result};
use crate::paths::Paths;
use crate::session::{DAY, load_stored};
use crate::store::Stored;
use crate::unix_time::now;

/// One profile, as `--json` shows it. Times are seconds since 1970.
#[derive(Serialize)]
struct Status<'a> {
    profile: &'a str,
    /// Where the token is, if there is one.
    store: Option<String>,
    account: Option<Account>,
    issued: Option<u64>,
    last_used: Option<u64>,
    /// Until the token was not used for 90 days. An organisation may end it sooner.
    days_left: Option<u64>,
    /// Why the store could not be read.
    error: Option<String>,
}

/// The text for stdout: the named profiles, or all.
pub(super) fn text(config: &Config, profiles: &[ProfileName], json: bool) -> Result<String> {
    let names: Vec<&str> = match profiles {
        [] => config.profile_names(),
        named => named.iter().map(ProfileName::as_str).collect(),
    };
    let all = names.into_iter().map(|name| status(config, name)).collect::<Result<Vec<_>>>()?;
    match json {
        true => serde_json::to_string_pretty(&all)
            .map_err(|error| Error::new(ErrorKind::Defect, format!("cannot write JSON: {error}"))),
        false => Ok(all.iter().map(Status::lines).collect::<Vec<_>>().join("\n")),
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
    };
    match load_stored(&Paths::from_environment()?, &profile, &config.store_choice(&profile)?) {
        Ok(None) => {}
        Ok(Some(Stored { place, record, .. })) => {
            status.store = Some(place);
            if let Some(record) = record {
                let days = now().saturating_sub(record.last_used) / DAY;
                status.issued = Some(record.issued);
                status.last_used = Some(record.last_used);
                status.days_left = Some(REFRESH_TOKEN_DAYS.saturating_sub(days));
                status.account = record.account;
            }
        }
        Err(error) => status.error = Some(error.to_string()),
    }
    Ok(status)
}

impl Status<'_> {
    fn lines(&self) -> String {
        let name = self.profile;
        let Some(store) = &self.store else {
            return match &self.error {
                Some(error) => format!("{name}: {error}"),
                None => format!("{name}: not signed in (get-token --profile {name:#})"),
            };
        };
        let account = self.account.as_ref().map_or("an account that is not known yet", |account| &account.name);
        let mut lines = format!("{name}: signed in as {account}\n  token in {store}");
        if let (Some(issued), Some(last_used), Some(days)) = (self.issued, self.last_used, self.days_left) {
            lines.push_str(&format!(
                "\n  issued {}, last used {}; dies if not used within {days} days",
                date(issued),
                date(last_used)
            ));
        }
        lines
    }
}

fn date(seconds: u64) -> String {
    let time = i64::try_from(seconds).ok().and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    time.map_or_else(|| "at an unknown time".to_owned(), |time| time.date().to_string())
}
