//! What `get-token --check` looks at: everything between the configuration and the mail servers, in the order in which
//! a token passes it. Sends no mail, and changes nothing but the refresh token, which each refresh renews.

mod mail_server;

use std::path::Path;
use std::time::Duration;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use crate::config::{Config, ProfileName, StoreChoice};
use crate::entra::Access;
use crate::error::{Error, ErrorKind, Result};
use crate::private_fs;
use crate::sanitize::for_terminal;
use crate::session::{DAY, Session};
use crate::sign_in;
use crate::unix_time::now;
use mail_server::Login;

/// Microsoft takes no more than five minutes' difference where a clock matters.
const CLOCK_TOLERANCE: u64 = 5 * 60;
/// The longest token that msmtp can send. Its SMTP commands end at 4,094 characters (measured with msmtp 1.8.23), which in
/// base64 leaves this much beside a long address.
const LONGEST_FOR_MSMTP: usize = 2_900;
/// The longest token that mbsync and OfflineIMAP can send, with room for a long address (7,264 characters failed, measured
/// with isync 1.4.4).
const LONGEST_FOR_IMAP: usize = 7_000;

/// What was seen at one place.
pub(crate) enum CheckResult {
    Passed(String),
    Skipped(String),
    Failed(Error),
}

/// Looks, and reports each finding as soon as it is there.
pub(crate) fn run(config: &Config, profile: &ProfileName, report: &mut dyn FnMut(&str, CheckResult)) {
    let session = match Session::open(config, profile) {
        Ok(session) => session,
        Err(error) => return report("configuration", CheckResult::Failed(error)),
    };
    report("configuration", CheckResult::Passed(config.file().display().to_string()));
    report("folders", folders(&session, config.file()));
    report("keychain", keychain(&session));
    report("callback", callback(&session));
    let (network, clock) = network(&session);
    report("network", network);
    report("clock", clock);
    let stored = stored_token(&session);
    let refreshed = match &stored {
        CheckResult::Passed(_) => Some(session.fresh_access_token()),
        _ => None,
    };
    report("stored token", stored);
    match refreshed {
        Some(Ok(tokens)) => with_token(&session, &tokens, report),
        Some(Err(error)) => without_token(CheckResult::Failed(error), report),
        None => without_token(CheckResult::Skipped("there is no token to begin with".to_owned()), report),
    }
}

fn without_token(refresh: CheckResult, report: &mut dyn FnMut(&str, CheckResult)) {
    report("refresh", refresh);
    report("mbsync's plugin", sasl_plugin());
    report("mail and calendar", CheckResult::Skipped("there is no token to try them with".to_owned()));
}

fn with_token(session: &Session, access: &Access, report: &mut dyn FnMut(&str, CheckResult)) {
    let minutes = |expires: u64| format!("for {} minutes", expires.saturating_sub(now()).div_ceil(60));
    let minutes = access.expires.map_or_else(String::new, minutes);
    report("refresh", CheckResult::Passed(format!("Microsoft issued an access token {minutes}")));
    let scopes: Vec<&str> = access.scopes.iter().map(|scope| scope.as_str()).collect();
    report("scopes", CheckResult::Passed(for_terminal(&scopes.join(" "))));
    let account = access.account.as_ref().map(|account| account.name.clone());
    report(
        "account",
        match &account {
            Some(name) => CheckResult::Passed(name.clone()),
            None => CheckResult::Skipped("Microsoft did not say".to_owned()),
        },
    );
    report("length", length(access));
    report("mbsync's plugin", sasl_plugin());

    let profile = session.profile();
    let user = profile.username.clone().or(account).unwrap_or_default();
    let login = Login { profile, user: &user, token: &access.token };
    let may = |permission: &str| scopes.iter().any(|scope| scope.contains(permission));
    let not_asked = || CheckResult::Skipped("the profile does not ask for it".to_owned());
    report("IMAP", if may("/IMAP.") { finding(mail_server::imap(&login)) } else { not_asked() });
    report("SMTP", if may("/SMTP.") { finding(mail_server::smtp(&login)) } else { not_asked() });
    let graph = scopes.iter().any(|scope| scope.contains(&profile.graph_server.host) || scope.contains("//graph."));
    report("Graph", if graph { finding(session.entra().graph_me(&access.token)) } else { not_asked() });
}

fn finding(result: Result<String>) -> CheckResult {
    result.map_or_else(CheckResult::Failed, CheckResult::Passed)
}

fn folders(session: &Session, configuration: &Path) -> CheckResult {
    let cache = session.paths().cache();
    let unwritable = |error: std::io::Error| {
        CheckResult::Failed(
            Error::new(ErrorKind::Storage, format!("cannot write into {}: {error}", cache.display()))
                .hint("see who owns the folder, and whether the disk is full"),
        )
    };
    if let Err(error) = private_fs::create_folder(cache).and_then(|()| tempfile::tempfile_in(cache).map(drop)) {
        return unwritable(error);
    }
    #[cfg(unix)]
    let secret = session.profile().client_secret.is_some();
    #[cfg(unix)]
    let of_configuration =
        if secret { (configuration, 0o077, "chmod 600") } else { (configuration, 0o022, "chmod go-w") };
    #[cfg(unix)]
    for (path, forbidden, command) in [of_configuration, (cache, 0o077, "chmod 700")] {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = path.metadata().map_or(0, |metadata| metadata.permissions().mode());
        if mode & forbidden != 0 {
            let message = format!("others have rights on {} (mode {:o})", path.display(), mode & 0o777);
            return CheckResult::Failed(
                Error::new(ErrorKind::Storage, message).hint(format!("run `{command} {}`", path.display())),
            );
        }
    }
    #[cfg(not(unix))]
    let _ = configuration;
    CheckResult::Passed(cache.display().to_string())
}

fn keychain(session: &Session) -> CheckResult {
    match session.stores().probe_keychain() {
        None if matches!(session.profile().store, StoreChoice::Commands(_)) => {
            CheckResult::Skipped("none; programs of your own keep the token".to_owned())
        }
        None => CheckResult::Skipped("none; the token is kept in a file, not encrypted".to_owned()),
        Some(Ok(())) => CheckResult::Passed("open, and takes tokens".to_owned()),
        Some(Err(error)) => CheckResult::Failed(error),
    }
}

fn callback(session: &Session) -> CheckResult {
    let redirect_uri = &session.profile().redirect_uri;
    match sign_in::can_listen(redirect_uri) {
        Ok(()) => CheckResult::Passed(format!("{} is free", redirect_uri.as_str())),
        Err(error) => CheckResult::Failed(error),
    }
}

/// The login host answers over TLS that we trust; and what its clock says.
fn network(session: &Session) -> (CheckResult, CheckResult) {
    let through = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    let proxy = through.iter().any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    match session.entra().discover() {
        Ok(date) => {
            let by = if proxy { ", by a proxy" } else { "" };
            let good = CheckResult::Passed(format!("{} answers{by}", session.profile().authority));
            (good, clock(date.as_deref()))
        }
        Err(error) => (CheckResult::Failed(error), CheckResult::Skipped("nobody to compare it with".to_owned())),
    }
}

fn clock(date: Option<&str>) -> CheckResult {
    let theirs = date.and_then(|date| OffsetDateTime::parse(date, &Rfc2822).ok());
    let Some(theirs) = theirs.and_then(|time| u64::try_from(time.unix_timestamp()).ok()) else {
        return CheckResult::Skipped("the server did not say the time".to_owned());
    };
    let difference = now().abs_diff(theirs);
    if difference > CLOCK_TOLERANCE {
        return CheckResult::Failed(
            Error::new(ErrorKind::Configuration, format!("this machine's clock is {difference} seconds off"))
                .hint("set the clock, such as with `timedatectl set-ntp true`"),
        );
    }
    CheckResult::Passed("right".to_owned())
}

fn stored_token(session: &Session) -> CheckResult {
    match session.stores().load_first() {
        Ok(Some(stored)) => {
            let location = stored.place;
            let age = stored.record.map(|record| now().saturating_sub(record.issued) / DAY);
            CheckResult::Passed(match age {
                Some(0) => format!("in {location}, issued today"),
                Some(days) => format!("in {location}, issued {days} days ago"),
                None => format!("in {location}"),
            })
        }
        Ok(None) => CheckResult::Failed(session.stores().not_found()),
        Err(error) => CheckResult::Failed(error),
    }
}

fn length(access: &Access) -> CheckResult {
    let length = access.token.secret().len();
    let too_long = |program: &str| {
        CheckResult::Failed(
            Error::new(
                ErrorKind::Configuration,
                format!("the access token has {length} characters, too many for {program}"),
            )
            .hint(
                "an account in very many groups has such tokens: ask the IT department, or use a client ID of your own",
            ),
        )
    };
    match length {
        _ if length > LONGEST_FOR_IMAP => too_long("mbsync, msmtp and OfflineIMAP"),
        _ if length > LONGEST_FOR_MSMTP => too_long("msmtp"),
        _ => CheckResult::Passed(format!("{length} characters; every mail program takes it")),
    }
}

/// mbsync knows XOAUTH2 by a plugin of Cyrus SASL, which few systems install by themselves.
fn sasl_plugin() -> CheckResult {
    let path = std::env::var_os("PATH").unwrap_or_default();
    if !std::env::split_paths(&path).any(|folder| folder.join("mbsync").is_file()) {
        return CheckResult::Skipped("mbsync is not installed".to_owned());
    }
    let architectures = ["x86_64-linux-gnu", "aarch64-linux-gnu"].map(|name| format!("/usr/lib/{name}/sasl2"));
    let others = ["/usr/lib/sasl2", "/usr/lib64/sasl2", "/usr/local/lib/sasl2", "/opt/homebrew/lib/sasl2"];
    let own = std::env::var_os("SASL_PATH").map(|path| std::env::split_paths(&path).collect()).unwrap_or_default();
    let folders: Vec<std::path::PathBuf> =
        architectures.iter().map(Into::into).chain(others.map(Into::into)).chain::<Vec<_>>(own).collect();
    let plugins = folders.iter().filter_map(|folder| folder.read_dir().ok()).flatten().filter_map(|entry| entry.ok());
    match plugins.map(|entry| entry.file_name()).find(|name| name.to_string_lossy().contains("xoauth2")) {
        Some(name) => CheckResult::Passed(for_terminal(&name.to_string_lossy())),
        None => CheckResult::Failed(
            Error::new(ErrorKind::Configuration, "mbsync has no SASL plugin for XOAUTH2")
                .hint("install one; on Debian and Ubuntu: `apt install libsasl2-modules-kdexoauth2`"),
        ),
    }
}

/// For one talk with a mail server, and for each of its answers.
const MAIL_SERVER_TIMEOUT: Duration = Duration::from_secs(15);
