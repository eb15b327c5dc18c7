//! Cause and next step by `suberror` or `error`, for a response whose AADSTS code is missing or too general, with the
//! placeholders of [`super::aadsts`].
//!
//! The values of `suberror` are those of MSAL ("Handle errors and exceptions in MSAL.NET", and the sources of MSAL for
//! Python and Android).

use super::aadsts::{CHECK_SCOPES, NextStep};
use crate::error::Refusal;
use NextStep::{Consent, Fix, Interact, Policy, SignIn};

/// A value of `suberror` or `error`, its cause and the next step.
type Row = (&'static str, &'static str, NextStep);

#[rustfmt::skip] // one value per line
static TABLE: &[Row] = &[
    ("basic_action", "your organisation requires an interactive sign-in", Interact),
    ("additional_action", "your organisation requires an additional step before you can sign in", Interact),
    ("user_password_expired", "your password has expired", Interact),
    ("consent_required", "you have not consented to the scopes of profile \"{profile}\" for client {client_id}", Consent),
    ("bad_token", "the {grant} is not valid", SignIn),
    ("token_expired", "the {grant} has expired", SignIn),
    ("client_mismatch", "the {grant} was issued to a client other than {client_id}", Fix("run {get_token} to sign in with this client, or correct client_id in {file}")),
    ("message_only", "blocked by a policy of your organisation", Policy),
    ("protection_policy_required", "your organisation requires an Intune app protection policy, which this program does not support", Policy),
    ("device_authentication_failed", "your organisation requires a registered device, and this device could not be authenticated", Policy),
    ("invalid_scope", "Microsoft does not accept the scopes of profile \"{profile}\": {scopes}", Fix(CHECK_SCOPES)),
    ("interaction_required", "Microsoft requires an interactive sign-in", Interact),
    ("login_required", "Microsoft requires an interactive sign-in", Interact),
    ("expired_token", "the device code has expired", SignIn),
    ("authorization_declined", "the sign-in was declined", SignIn),
];

/// Returns cause and next step of a refusal, if `suberror` or else `error` is in the table.
pub(super) fn advice(refusal: &Refusal) -> Option<(&'static str, NextStep)> {
    let find = |value: &str| TABLE.iter().find(|(name, ..)| *name == value).map(|(_, cause, next)| (*cause, *next));
    refusal.suberror.as_deref().and_then(find).or_else(|| find(&refusal.error))
}
