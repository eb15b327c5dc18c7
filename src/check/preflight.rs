//! Problems that can be found before the person signs in: a tenant that does not exist, a network that is down, a clock
//! that is off.

use std::time::{Duration, Instant};

use super::{CheckResult, clock};
use crate::config::Profile;
use crate::entra::{ClientCertificate, Entra};
use crate::error::{Cause, Error, ErrorKind, Result};
use crate::patience::Patience;
use crate::runtime;
use crate::session::Session;

/// How long a slow login host may delay the sign-in.
const TIMEOUT: Duration = Duration::from_secs(2);

/// For a connection, a lookup of its host name and the files of the certificate authorities.
const SPARE_DESCRIPTORS: usize = 16;

/// Fetches the tenant's discovery document from the login host.
///
/// # Errors
///
/// The client certificate cannot be used, Microsoft refuses the tenant, or the login host cannot be reached. A
/// discovery document that is missing or late, and a clock that is off, are warnings.
pub(crate) fn run(session: &Session) -> Result<()> {
    // A certificate that cannot be used would be reported only after the sign-in in the browser.
    ClientCertificate::of(session.profile())?;
    // The sign-in itself may need fewer.
    if runtime::with_spare_descriptors(SPARE_DESCRIPTORS).is_err() {
        return Ok(());
    }
    let patience = Patience::Until(Instant::now() + TIMEOUT);
    match Entra::new(session.profile(), patience, None).discover() {
        Ok(date) => {
            let url = session.profile().authority.endpoint("");
            if let CheckResult::Failed(error) = clock(url.host_str().unwrap_or_default(), date.as_deref()) {
                warn(&error);
            }
            Ok(())
        }
        Err(error) if error.kind() == ErrorKind::Protocol || error.is_caused_by(Cause::Timeout) => {
            warn(&error);
            Ok(())
        }
        // The sign-in would fail too. A captive portal is an unlikely cause, because the person is about to use a
        // browser.
        Err(error) if error.is_caused_by(Cause::UntrustedCertificate) => Err(error.with_kind(ErrorKind::Configuration)),
        Err(error) => Err(error),
    }
}

/// Returns whether the login host has a discovery document for the profile's tenant. Does not wait for a slow host.
pub(crate) fn tenant_exists(profile: &Profile) -> bool {
    Entra::new(profile, Patience::Until(Instant::now() + TIMEOUT), None).discover().is_ok()
}

fn warn(error: &Error) {
    match error.next_step() {
        Some(hint) => log::warn!("{error} ({hint})"),
        None => log::warn!("{error}"),
    }
}
