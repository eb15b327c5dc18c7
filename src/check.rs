//! The checks of `get-token --check`: everything between the configuration and the mail servers, in the order in which
//! a token is fetched and used. They send no mail, and change only the stored and the cached token, as every refresh
//! does.

mod broker;
mod graph;
mod mail_server;
pub(crate) mod preflight;
mod sasl_plugin;
mod transport;

use std::path::Path;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use crate::config::{Config, Credential, Grant, Profile, ProfileName, Service, StoreChoice};
use crate::entra::{self, Access, CLOCK_TOLERANCE, ClientCertificate, permission};
use crate::error::{Error, ErrorKind, Result};
use crate::private_fs;
use crate::sanitize::{for_shell, for_terminal};
use crate::session::{DAY, Session};
use crate::sign_in;
use crate::store::Location;
use crate::unix_time::now;
use broker::identity_broker;
pub(crate) use broker::{BrokerState, broker_state, silent_token};
use mail_server::Login;

/// The longest token that msmtp can send: its SMTP commands are limited to 4,094 characters (measured with msmtp
/// 1.8.23), and the token is sent in base64, next to an address that may be long.
const LONGEST_FOR_MSMTP: usize = 2_900;
/// The longest token that mbsync and OfflineIMAP can send, next to a long address (7,264 characters failed, measured
/// with isync 1.4.4).
const LONGEST_FOR_IMAP: usize = 7_000;

/// The result of one check.
pub(crate) enum CheckResult {
    Passed(String),
    Skipped(String),
    Failed(Error),
}

/// Runs the checks, and reports each result as soon as it is known.
pub(crate) fn run(config: &Config, profile: &ProfileName, report: &mut dyn FnMut(&str, CheckResult)) {
    let session = match Session::open(config, profile) {
        Ok(session) => session,
        Err(error) => return report("configuration", CheckResult::Failed(error)),
    };
    let trust = match private_fs::is_check_waived(config.file()) {
        true => "; M365AUTH_TRUST_CONFIG is set, so other users may be able to change it",
        false => "",
    };
    let configuration =
        config.ensure_plausible(session.profile()).map(|()| format!("{}{trust}", config.file().display()));
    report("configuration", configuration.into());
    report("folders", folders(&session, config.file()));
    match ClientCertificate::of(session.profile()) {
        Ok(None) => {}
        Ok(Some(found)) => report("certificate", certificate(session.profile(), &found)),
        Err(error) => report("certificate", CheckResult::Failed(error)),
    }
    let is_application = session.profile().grant == Grant::ClientCredentials;
    if !is_application {
        report("keychain", keychain(&session));
        report("callback", callback(&session));
    }
    let (network, clock) = network(&session);
    report("network", network);
    report("clock", clock);
    let is_ready = match session.profile().grant {
        Grant::RefreshToken => {
            let stored = stored_token(&session);
            let is_ready = matches!(stored, CheckResult::Passed(_));
            report("stored token", stored);
            is_ready
        }
        Grant::ClientCredentials => {
            let skipped = "not used; the application requests tokens for itself".to_owned();
            report("stored token", CheckResult::Skipped(skipped));
            true
        }
        Grant::Broker => identity_broker(&session, report),
    };
    let refreshed = is_ready.then(|| session.fresh_access_token());
    match refreshed {
        Some(Ok(access)) => with_token(&session, &access, report),
        Some(Err(error)) => without_token(session.profile(), CheckResult::Failed(error), report),
        None => {
            let refresh = CheckResult::Skipped(match session.profile().grant {
                Grant::RefreshToken | Grant::ClientCredentials => "it needs a stored token".to_owned(),
                Grant::Broker => "it needs the identity broker and an account".to_owned(),
            });
            without_token(session.profile(), refresh, report);
        }
    }
}

fn without_token(profile: &Profile, refresh: CheckResult, report: &mut dyn FnMut(&str, CheckResult)) {
    report("refresh", refresh);
    report("mbsync's plugin", sasl_plugin::check(profile));
    report("mail and calendar", CheckResult::Skipped("no access token to test with".to_owned()));
}

fn with_token(session: &Session, access: &Access, report: &mut dyn FnMut(&str, CheckResult)) {
    let minutes = |left: u64| format!(", valid for {} minutes", left.div_ceil(60));
    let validity = access.lifetime.map_or_else(String::new, |lifetime| minutes(lifetime.expires.saturating_sub(now())));
    let issuer = match session.profile().grant {
        Grant::RefreshToken | Grant::ClientCredentials => "Microsoft issued",
        Grant::Broker => "the identity broker returned",
    };
    report("refresh", CheckResult::Passed(format!("{issuer} an access token{validity}")));
    report("cache", cache(session));
    let profile = session.profile();
    let missing = permission::missing(&profile.scopes, &access.scopes);
    report("scopes", scopes(profile, access, &missing));
    let account = access.account.as_ref().map(|account| account.name.clone());
    report(
        "account",
        match &account {
            Some(name) => CheckResult::Passed(name.clone()),
            None => CheckResult::Skipped("not in Microsoft's response".to_owned()),
        },
    );
    report("length", length(access));
    report("mbsync's plugin", sasl_plugin::check(profile));

    let user = profile.username.clone().or(account.clone()).unwrap_or_default();
    let login = Login { profile, user: &user, account: account.as_deref(), token: &access.token };
    if profile.grant == Grant::ClientCredentials {
        return for_application(&login, report);
    }
    let asks = |protocol| permission::requested_for(&profile.scopes, protocol);
    let test = |service: &str, asked: Option<&str>, test: &dyn Fn() -> Result<String>| match asked {
        Some(permission) if missing.contains(&permission) => {
            CheckResult::Skipped(format!("{permission} was not granted"))
        }
        Some(_) => test().into(),
        None => CheckResult::Skipped(format!("the profile has no {service} scope")),
    };
    report("IMAP", test("IMAP", asks("IMAP"), &|| mail_server::imap(&login)));
    report("SMTP", test("SMTP", asks("SMTP"), &|| mail_server::smtp(&login)));
    report("Graph", graph::check(session, access, &missing));
}

/// Returns whether the application requests tokens for mail. Its scope `.default` does not name a protocol.
fn is_mail_application(profile: &Profile) -> bool {
    profile.grant == Grant::ClientCredentials
        && profile.own_scopes().any(|scope| Service::of(scope) == Service::Exchange)
}

/// Tests the mailbox that the application uses. `.default` does not name a protocol, so both are tried.
fn for_application(login: &Login<'_>, report: &mut dyn FnMut(&str, CheckResult)) {
    let profile = login.profile;
    if !is_mail_application(profile) {
        let skipped = "not tested, because the token is for the application, not for a user".to_owned();
        return report("mail and calendar", CheckResult::Skipped(skipped));
    }
    if login.user.is_empty() {
        let error =
            Error::new(ErrorKind::Configuration, format!("the profile \"{}\" does not name a mailbox", profile.name))
                .hint(format!("set username in {} to the address of the mailbox", profile.file.display()));
        return report("mailbox", CheckResult::Failed(error));
    }
    report("IMAP", mail_server::imap(login).into());
    let smtp = match mail_server::smtp(login) {
        // Most applications only read mail.
        Err(error) if error.kind() == ErrorKind::SignIn => CheckResult::Skipped(format!(
            "{error}; to send mail, the application needs the permission SMTP.SendAsApp and SendAs for the mailbox"
        )),
        result => result.into(),
    };
    report("SMTP", smtp);
}

/// Reports when the client certificate expires.
fn certificate(profile: &Profile, certificate: &ClientCertificate) -> CheckResult {
    match certificate.expiring(profile).filter(|_| certificate.has_expired()) {
        Some(error) => CheckResult::Failed(error),
        None => CheckResult::Passed(format!("{}, {}", certificate.file.display(), certificate.validity())),
    }
}

/// Compares the scopes that the profile asks for with those that Microsoft granted.
fn scopes(profile: &Profile, access: &Access, missing: &[&str]) -> CheckResult {
    if access.scopes.is_empty() {
        return CheckResult::Skipped("not in Microsoft's response".to_owned());
    }
    let granted: Vec<&str> = access.scopes.iter().map(|scope| scope.as_str()).collect();
    if missing.is_empty() {
        return CheckResult::Passed(for_terminal(&granted.join(" ")));
    }
    let message = format!("Microsoft did not grant {}", for_terminal(&missing.join(" ")));
    let name = &profile.name;
    CheckResult::Failed(Error::new(ErrorKind::SignIn, message).hint(format!(
        "run `get-token --profile {name:#}` and consent, ask an administrator to consent, or remove the scope from the \
         profile"
    )))
}

impl From<Result<String>> for CheckResult {
    fn from(result: Result<String>) -> Self {
        result.map_or_else(Self::Failed, Self::Passed)
    }
}

fn folders(session: &Session, configuration: &Path) -> CheckResult {
    let cache = session.paths().cache();
    if let Err(error) = private_fs::create_folder(cache).and_then(|()| tempfile::tempfile_in(cache).map(drop)) {
        let word = for_shell(&cache.to_string_lossy());
        return CheckResult::Failed(
            Error::new(ErrorKind::Storage, format!("cannot write to {}: {error}", cache.display()))
                .hint(format!("check the owner with `ls -ld {word}` and the free space with `df {word}`")),
        );
    }
    #[cfg(unix)]
    if let Err(error) = ensure_private(session, configuration) {
        return CheckResult::Failed(error);
    }
    #[cfg(not(unix))]
    let _ = configuration;
    CheckResult::Passed(cache.display().to_string())
}

/// Fails if other users can read the cache folder, a client secret or a private key, or can write to the configuration.
#[cfg(unix)]
fn ensure_private(session: &Session, configuration: &Path) -> Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let has_secret = matches!(session.profile().credential, Some(Credential::Secret(_)));
    let configuration =
        if has_secret { (configuration, 0o077, "chmod 600") } else { (configuration, 0o022, "chmod go-w") };
    let key = match &session.profile().credential {
        Some(Credential::Certificate(files)) => Some((&*files.key, 0o077, "chmod 600")),
        _ => None,
    };
    let cache = (session.paths().cache(), 0o077, "chmod 700");
    for (path, forbidden, command) in [Some(configuration), key, Some(cache)].into_iter().flatten() {
        if private_fs::is_check_waived(path) {
            continue;
        }
        let mode = path.metadata().map_or(0, |metadata| metadata.permissions().mode());
        if mode & forbidden != 0 {
            let message = format!("other users can access {} (mode {:o})", path.display(), mode & 0o777);
            return Err(Error::new(ErrorKind::Storage, message).hint(format!(
                "run `{command} {}`, or move it to a file system that supports file modes",
                for_shell(&path.to_string_lossy())
            )));
        }
    }
    Ok(())
}

fn keychain(session: &Session) -> CheckResult {
    if session.profile().grant == Grant::Broker {
        return CheckResult::Skipped("not used; the identity broker keeps the refresh token".to_owned());
    }
    match session.stores().probe_keychain() {
        None if matches!(session.profile().store, StoreChoice::Commands(_)) => {
            CheckResult::Skipped("not used; the programs in `store` store the token".to_owned())
        }
        None => {
            let file = session.stores().describe(Location::File);
            CheckResult::Skipped(format!("not used; new tokens are stored unencrypted in {file}"))
        }
        // The other systems report a problem only when an entry is written.
        Some(Ok(())) if cfg!(not(target_os = "linux")) => CheckResult::Passed("available".to_owned()),
        Some(Ok(())) => CheckResult::Passed("unlocked and writable".to_owned()),
        Some(Err(error)) => CheckResult::Failed(error),
    }
}

fn callback(session: &Session) -> CheckResult {
    if session.profile().grant == Grant::Broker {
        return CheckResult::Skipped("not used; the identity broker opens its own window".to_owned());
    }
    match sign_in::can_listen(session.profile()) {
        Ok(()) => CheckResult::Passed(format!("can listen at {}", session.profile().redirect_uri.as_str())),
        Err(error) => CheckResult::Failed(error),
    }
}

/// Checks that the login host responds over TLS, and compares its clock with ours.
fn network(session: &Session) -> (CheckResult, CheckResult) {
    let authority = &session.profile().authority;
    let url = authority.endpoint("");
    match session.entra().discover() {
        Ok(date) => {
            let proxy = entra::proxy_for(&url).ok().flatten();
            let proxy = proxy.map_or_else(String::new, |proxy| format!(" through the proxy {}", proxy.server()));
            let host = url.host_str().unwrap_or_default();
            (CheckResult::Passed(format!("{authority} responds{proxy}")), clock(host, date.as_deref()))
        }
        Err(error) => (CheckResult::Failed(error), CheckResult::Skipped("no response to compare it with".to_owned())),
    }
}

fn clock(host: &str, date: Option<&str>) -> CheckResult {
    let theirs = date.and_then(|date| OffsetDateTime::parse(date, &Rfc2822).ok());
    let Some(theirs) = theirs.and_then(|time| u64::try_from(time.unix_timestamp()).ok()) else {
        return CheckResult::Skipped(format!("{host} did not send its time"));
    };
    let ours = now();
    let (seconds, direction) = (ours.abs_diff(theirs), if ours > theirs { "ahead of" } else { "behind" });
    if seconds > CLOCK_TOLERANCE {
        let message = format!("this machine's clock is {seconds} seconds {direction} {host}");
        return CheckResult::Failed(
            Error::new(ErrorKind::Configuration, message)
                .hint("set the clock, for example with `sudo timedatectl set-ntp true`"),
        );
    }
    CheckResult::Passed(format!("less than {} minutes off", CLOCK_TOLERANCE / 60))
}

fn stored_token(session: &Session) -> CheckResult {
    match session.stores().load_first() {
        Ok(Some(stored)) => {
            let location = stored.description;
            let age = stored.record.map(|record| now().saturating_sub(record.issued) / DAY);
            CheckResult::Passed(match age {
                Some(0) => format!("in {location}, issued today"),
                Some(1) => format!("in {location}, issued 1 day ago"),
                Some(days) => format!("in {location}, issued {days} days ago"),
                None => format!("in {location}"),
            })
        }
        Ok(None) => CheckResult::Failed(session.stores().not_found()),
        Err(error) => CheckResult::Failed(error),
    }
}

/// Reports how long mail keeps working if Microsoft cannot be reached.
fn cache(session: &Session) -> CheckResult {
    match (session.cached(), session.not_cached()) {
        (Some(cached), None) => {
            let minutes = |time: u64| time.saturating_sub(now()).div_ceil(60);
            let (due, floor) = (minutes(cached.lifetime.due), minutes(cached.lifetime.floor));
            CheckResult::Passed(format!(
                "the access token is in kernel memory: renewed after {due} minutes, used for up to {floor} minutes if \
                 that fails"
            ))
        }
        (_, why) => CheckResult::Skipped(format!(
            "the access token is not cached ({}); each command requests a new one, so an outage stops mail at once",
            why.unwrap_or("the kernel keyring is not available")
        )),
    }
}

fn length(access: &Access) -> CheckResult {
    let length = access.token.secret().len();
    let too_long = |programs: &str, limit: usize| {
        let message = format!("the access token has {length} characters, too many for {programs} (at most {limit})");
        CheckResult::Failed(
            Error::new(ErrorKind::Configuration, message).hint(
                "use a client ID of your own, or ask your IT department: an account in many groups gets long tokens",
            ),
        )
    };
    match length {
        _ if length > LONGEST_FOR_IMAP => too_long("mbsync, msmtp and OfflineIMAP", LONGEST_FOR_IMAP),
        _ if length > LONGEST_FOR_MSMTP => too_long("msmtp", LONGEST_FOR_MSMTP),
        _ => CheckResult::Passed(format!("{length} characters, short enough for every mail program")),
    }
}
