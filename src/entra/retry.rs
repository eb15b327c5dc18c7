//! Retries: transient failures are retried a few times with growing pauses, within the profile's `network_timeout`.

use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

use reqwest::header::{HeaderMap, RETRY_AFTER};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use super::{Flow, token_is_refused};
use crate::error::{Error, ErrorKind};

/// The first attempt included. A mail program retries on its own timer, and a person who is offline should not wait
/// long.
const MAX_ATTEMPTS: u32 = 5;
/// The upper bound of the first pause. It doubles with each attempt.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// A failed attempt of a request.
pub(crate) struct FailedAttempt {
    pub(crate) error: Error,
    /// Whether another attempt may succeed.
    pub(crate) is_transient: bool,
    /// Whether the server sent a response, or at least its headers.
    pub(crate) was_answered: bool,
    /// The pause that the server asked for (RFC 9110, 10.2.3).
    pub(crate) retry_after: Option<Duration>,
}

impl FailedAttempt {
    /// Creates the failure of an attempt whose response is an error.
    pub(crate) fn answered(error: Error) -> Self {
        Self { is_transient: error.kind() == ErrorKind::TryLater, error, was_answered: true, retry_after: None }
    }

    /// Returns the error, with the pause that the server asked for.
    pub(crate) fn into_error(self) -> Error {
        match self.retry_after.filter(|_| self.is_transient) {
            Some(pause) => self.error.with_retry_after(pause),
            None => self.error,
        }
    }
}

/// The attempts of one request.
pub(crate) struct Attempts {
    made: u32,
    end: Instant,
    first_error: Option<Error>,
    last_error: Option<Error>,
    flow: Flow,
    was_answered: bool,
}

impl Attempts {
    pub(crate) fn new(limit: Duration, flow: Flow) -> Self {
        let end = Instant::now() + limit;
        Self { made: 0, end, first_error: None, last_error: None, flow, was_answered: false }
    }

    /// Returns the pause before the next attempt, or the error if no attempt is left.
    pub(crate) fn delay_after(
        &mut self,
        FailedAttempt { error, is_transient, was_answered, retry_after }: FailedAttempt,
    ) -> Result<Duration, Error> {
        self.made += 1;
        // A code can be used once (RFC 6749, 4.1.2): a server that answered may have redeemed it, and one more attempt
        // shows whether it has. Refresh tokens are not revoked when the next one is issued.
        let is_code = self.flow == Flow::AuthorizationCode;
        if !is_transient || is_code && self.was_answered || self.made == MAX_ATTEMPTS {
            // An earlier attempt used the code, and its failure is the reason why there are no tokens.
            let is_used = is_code && error.refusal().is_some_and(token_is_refused);
            return Err(self.first_error.take().filter(|_| is_used).unwrap_or(error));
        }
        self.was_answered |= was_answered;
        self.first_error.get_or_insert_with(|| error.clone());
        self.last_error = Some(error.clone());
        let left = self.end.saturating_duration_since(Instant::now());
        match retry_after {
            Some(requested) if requested >= left => Err(with_retry_after(&error, requested)),
            // Never shorter than our own pause: Retry-After may be 0, or a date that is past by our clock.
            _ => Some(self.pause().max(retry_after.unwrap_or_default())).filter(|pause| *pause < left).ok_or(error),
        }
    }

    /// Returns the error of the last transient failure, if there was one.
    pub(super) fn last_error(self) -> Option<Error> {
        self.last_error
    }

    /// Returns the next pause. Half of it is random, so that clients that failed together do not retry together.
    fn pause(&self) -> Duration {
        let max = FIRST_PAUSE * 2_u32.pow(self.made - 1);
        let random = RandomState::new().hash_one(0) as f64 / u64::MAX as f64;
        max.mul_f64(0.5 + random / 2.0)
    }
}

fn with_retry_after(error: &Error, requested: Duration) -> Error {
    error.clone().hint(format!("try again in {} seconds", requested.as_secs()))
}

/// Parses the header Retry-After: a number of seconds, or a date.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = OffsetDateTime::parse(value, &Rfc2822).ok()?;
    Some(Duration::try_from(date - OffsetDateTime::now_utc()).unwrap_or_default()) // zero for a date in the past
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failure(kind: ErrorKind, was_answered: bool, retry_after: Option<u64>) -> FailedAttempt {
        let error = Error::new(kind, "it failed");
        let retry_after = retry_after.map(Duration::from_secs);
        FailedAttempt { was_answered, retry_after, ..FailedAttempt::answered(error) }
    }

    #[test]
    fn pauses_grow_until_the_attempts_are_used_up() {
        let mut attempts = Attempts::new(Duration::from_secs(60), Flow::Refresh);
        for max in [500, 1000, 2000, 4000] {
            let pause =
                attempts.delay_after(failure(ErrorKind::TryLater, true, None)).expect("another attempt").as_millis();
            assert!((max / 2..=max).contains(&pause), "{pause}");
        }
        assert!(attempts.delay_after(failure(ErrorKind::TryLater, true, None)).is_err());
    }

    #[test]
    fn permanent_failures_are_not_retried() {
        for kind in [ErrorKind::SignIn, ErrorKind::Protocol, ErrorKind::Configuration] {
            let mut attempts = Attempts::new(Duration::from_secs(60), Flow::Refresh);
            assert!(attempts.delay_after(failure(kind, true, Some(1))).is_err());
        }
    }

    #[test]
    fn an_authorization_code_is_sent_once_more_after_a_response() {
        let mut attempts = Attempts::new(Duration::from_secs(60), Flow::AuthorizationCode);
        assert!(attempts.delay_after(failure(ErrorKind::TryLater, false, None)).is_ok());
        assert!(attempts.delay_after(failure(ErrorKind::TryLater, false, None)).is_ok());
        assert!(attempts.delay_after(failure(ErrorKind::TryLater, true, None)).is_ok());
        assert!(attempts.delay_after(failure(ErrorKind::TryLater, false, None)).is_err());
    }

    #[test]
    fn retry_after_is_honoured_within_the_time_limit() {
        let mut attempts = Attempts::new(Duration::from_secs(60), Flow::Refresh);
        let pause = attempts.delay_after(failure(ErrorKind::TryLater, true, Some(7)));
        assert_eq!(pause.expect("another attempt"), Duration::from_secs(7));
        let pause = attempts.delay_after(failure(ErrorKind::TryLater, true, Some(0))).expect("another attempt");
        assert!(pause >= FIRST_PAUSE, "never shorter than our own pause: {pause:?}");
        let error = attempts.delay_after(failure(ErrorKind::TryLater, true, Some(61))).expect_err("too long");
        assert!(error.next_step().expect("a hint").contains("in 61 seconds"));
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let parse = |value: String| {
            let value = value.parse().expect("a header");
            retry_after(&HeaderMap::from_iter([(RETRY_AFTER, value)]))
        };
        assert_eq!(parse("17".to_owned()), Some(Duration::from_secs(17)));
        assert_eq!(parse("Tue, 15 Nov 1994 08:12:31 GMT".to_owned()), Some(Duration::ZERO));
        let soon = OffsetDateTime::now_utc() + Duration::from_secs(100);
        let soon = parse(soon.format(&Rfc2822).expect("a date")).expect("a time");
        assert!((98..=100).contains(&soon.as_secs()), "{soon:?}");
        assert_eq!(parse("soon".to_owned()), None);
    }
}
