//! When an access token is renewed, and until when it is handed out.

use std::time::Duration;

/// The time before a token's expiry in which it is not handed out, in seconds. MSAL keeps the same margin (msal for
/// Python, `application.py`), and a mail program needs some time to log in.
const MARGIN: u64 = 5 * 60;
/// The margin of a token that is valid for less than twenty minutes is its lifetime divided by this.
const MARGIN_PART: u64 = 4;
/// How long no new attempt is made after a renewal failed, in seconds.
const RETRY_PAUSE: u64 = 60;
/// The pause of a token that is valid for less than twenty minutes is its lifetime divided by this.
const RETRY_PART: u64 = 20;

/// The lifetime of an access token. All times are seconds since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lifetime {
    pub(crate) issued: u64,
    /// When it becomes due: a new token is requested, and this one is handed out if that fails.
    pub(crate) due: u64,
    /// When it stops being handed out.
    pub(crate) floor: u64,
    pub(crate) expires: u64,
}

impl Lifetime {
    /// Returns the lifetime of a token that is issued `now`. `expires_in` and `refresh_in` are those of the token
    /// response, in seconds. Microsoft sends `refresh_in` for tokens that should be renewed early; a value that is 0 or
    /// not before the floor is ignored, and then the token is due after half of its lifetime.
    pub(crate) fn new(now: u64, expires_in: u64, refresh_in: Option<u64>) -> Self {
        let usable = expires_in - MARGIN.min(expires_in.div_ceil(MARGIN_PART));
        let due = refresh_in.filter(|seconds| (1..usable).contains(seconds)).unwrap_or(expires_in / 2);
        let after = |seconds| now.saturating_add(seconds);
        Self { issued: now, due: after(due), floor: after(usable), expires: after(expires_in) }
    }

    /// Returns how long no new attempt is made after a renewal failed.
    pub(crate) fn retry_pause(&self) -> Duration {
        Duration::from_secs(RETRY_PAUSE.min(self.expires.saturating_sub(self.issued) / RETRY_PART))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(expires_in: u64, refresh_in: Option<u64>) -> (u64, u64, u64) {
        let Lifetime { issued, due, floor, expires } = Lifetime::new(1_000_000, expires_in, refresh_in);
        assert_eq!((issued, expires), (1_000_000, 1_000_000 + expires_in));
        (due - issued, floor - issued, Lifetime::new(0, expires_in, refresh_in).retry_pause().as_secs())
    }

    #[test]
    fn a_token_is_due_after_half_its_lifetime_and_usable_until_five_minutes_or_a_quarter_are_left() {
        assert_eq!(seconds(75 * 60, None), (2250, 70 * 60, 60));
        assert_eq!(seconds(20 * 60, None), (600, 15 * 60, 60));
        assert_eq!(seconds(10 * 60, None), (300, 450, 30));
        assert_eq!(seconds(10, None), (5, 7, 0));
        assert_eq!(seconds(0, None), (0, 0, 0));
        assert_eq!(Lifetime::new(5, u64::MAX, None).expires, u64::MAX);
    }

    #[test]
    fn refresh_in_counts_if_it_is_positive_and_before_the_floor() {
        assert_eq!(seconds(3600, Some(1)).0, 1);
        assert_eq!(seconds(3600, Some(3299)).0, 3299);
        for ignored in [0, 3300, 3600, u64::MAX] {
            assert_eq!(seconds(3600, Some(ignored)).0, 1800, "{ignored}");
        }
    }
}
