//! When a request is made again: what passes by itself is tried a few times, with pauses that grow, within the time that
//! the profile allows for all of it.

use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

use reqwest::header::{HeaderMap, RETRY_AFTER};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

use crate::error::{Error, ErrorKind};

/// Contacts in all. A mail program on a timer comes again anyway, and a person who is offline waits some seconds only.
const MAX_ATTEMPTS: u32 = 5;
/// The longest first pause. Each later one may be twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// What a failed try was.
pub(crate) struct FailedAttempt {
    pub(crate) error: Error,
    /// It may be otherwise in a moment.
    pub(crate) is_transient: bool,
    /// An answer came, or at least its head.
    pub(crate) was_answered: bool,
    /// Who answered wants to be left alone for so long (RFC 9110, 10.2.3).
    pub(crate) retry_after: Option<Duration>,
}

impl FailedAttempt {
    /// An answer that is an error.
    pub(crate) fn answered(error: Error) -> Self {
        Self { is_transient: error.kind() == ErrorKind::TryLater, error, was_answered: true, retry_after: None }
    }
}

/// What a request may do twice.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Repeatable {
    /// A refresh token, which Microsoft lets live when it hands out the next one.
    Always,
    /// An authorization code: whoever has answered may have used it up (RFC 6749, 4.1.2).
    UntilAnswered,
}

/// The attempts of one request.
pub(crate) struct Attempts {
    made: u32,
    end: Instant,
    last_error: Option<Error>,
    repeatable: Repeatable,
}

impl Attempts {
    pub(crate) fn new(limit: Duration, repeatable: Repeatable) -> Self {
        Self { made: 0, end: Instant::now() + limit, last_error: None, repeatable }
    }

    /// The pause before the next try, or the error with which the last one ended.
    pub(crate) fn delay_after(
        &mut self,
        FailedAttempt { error, is_transient, was_answered, retry_after }: FailedAttempt,
    ) -> Result<Duration, Error> {
        self.made += 1;
        let is_used_up = was_answered && self.repeatable == Repeatable::UntilAnswered;
        if !is_transient || is_used_up || self.made == MAX_ATTEMPTS {
            return Err(error);
        }
        self.last_error = Some(error.clone());
        let left = self.end.saturating_duration_since(Instant::now());
        match retry_after {
            Some(wanted) if wanted >= left => Err(asked_to_wait(&error, wanted)),
            // Our own pause, too, where the wanted one is none, or a date that is past by our clock.
            _ => Some(self.pause().max(retry_after.unwrap_or_default())).filter(|pause| *pause < left).ok_or(error),
        }
    }

    /// That of the last try, if there was one.
    pub(super) fn last_error(self) -> Option<Error> {
        self.last_error
    }

    /// Half of it is chance, so that many that failed together do not come again together.
    fn pause(&self) -> Duration {
        let longest = FIRST_PAUSE * 2_u32.pow(self.made - 1);
        let chance = RandomState::new().hash_one(0) as f64 / u64::MAX as f64;
        longest.mul_f64(0.5 + chance / 2.0)
    }
}

fn asked_to_wait(error: &Error, wanted: Duration) -> Error {
    let error = error.clone();
    let hint = format!("try again in {} seconds; the stored token is still good", wanted.as_secs());
    error.hint(hint)
}

/// Seconds, or a date.
pub(crate) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = OffsetDateTime::parse(value, &Rfc2822).ok()?;
    Some(Duration::try_from(date - OffsetDateTime::now_utc()).unwrap_or_default()) // a date in the past: at once
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
    fn pauses_grow_and_end() {
        let mut attempts = Attempts::new(Duration::from_secs(60), Repeatable::Always);
        for longest in [500, 1000, 2000, 4000] {
            let pause =
                attempts.delay_after(failure(ErrorKind::TryLater, true, None)).expect("one more try").as_millis();
            assert!((longest / 2..=longest).contains(&pause), "{pause}");
        }
        assert!(attempts.delay_after(failure(ErrorKind::TryLater, true, None)).is_err());
    }

    #[test]
    fn what_does_not_pass_is_not_tried_again() {
        for kind in [ErrorKind::SignIn, ErrorKind::Protocol, ErrorKind::Configuration] {
            let mut attempts = Attempts::new(Duration::from_secs(60), Repeatable::Always);
            assert!(attempts.delay_after(failure(kind, true, Some(1))).is_err());
        }
    }

    #[test]
    fn a_code_is_not_sent_again_once_somebody_answered() {
        let mut attempts = Attempts::new(Duration::from_secs(60), Repeatable::UntilAnswered);
        assert!(attempts.delay_after(failure(ErrorKind::TryLater, false, None)).is_ok());
        assert!(attempts.delay_after(failure(ErrorKind::TryLater, true, None)).is_err());
    }

    #[test]
    fn the_wanted_time_is_waited_where_there_is_as_much() {
        let mut attempts = Attempts::new(Duration::from_secs(60), Repeatable::Always);
        let pause = attempts.delay_after(failure(ErrorKind::TryLater, true, Some(7)));
        assert_eq!(pause.expect("one more try"), Duration::from_secs(7));
        let pause = attempts.delay_after(failure(ErrorKind::TryLater, true, Some(0))).expect("one more try");
        assert!(pause >= FIRST_PAUSE, "our own pause is the least: {pause:?}");
        let error = attempts.delay_after(failure(ErrorKind::TryLater, true, Some(61))).expect_err("too long");
        assert!(error.next_step().expect("a hint").contains("in 61 seconds"));
    }

    #[test]
    fn the_header_is_seconds_or_a_date() {
        let read = |value: String| {
            let value = value.parse().expect("a header");
            retry_after(&HeaderMap::from_iter([(RETRY_AFTER, value)]))
        };
        assert_eq!(read("17".to_owned()), Some(Duration::from_secs(17)));
        assert_eq!(read("Tue, 15 Nov 1994 08:12:31 GMT".to_owned()), Some(Duration::ZERO));
        let soon = OffsetDateTime::now_utc() + Duration::from_secs(100);
        let soon = read(soon.format(&Rfc2822).expect("a date")).expect("a time");
        assert!((98..=100).contains(&soon.as_secs()), "{soon:?}");
        assert_eq!(read("soon".to_owned()), None);
    }
}
