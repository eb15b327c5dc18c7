//! The ways to sign in. The only room that knows a person.

pub(crate) mod browser;
mod callback;
mod certificate;
mod page;
