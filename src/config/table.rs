//! `config.toml` as written: the keys of the file and of each profile.

use std::collections::BTreeMap;
use std::path::PathBuf;

use toml::Spanned;

use super::credential::{CertificateFiles, Credential};
use super::grant::Grant;
use super::store_choice::StoreChoice;
use super::values::{CacheChoice, Cloud};

/// The keys of the file or of a profile.
#[derive(Debug, Default)]
pub(super) struct Table {
    pub(super) client_id: Option<Spanned<String>>,
    pub(super) client_secret: Option<Credential>,
    pub(super) client_certificate: Option<Spanned<CertificateFiles>>,
    pub(super) grant: Option<Grant>,
    pub(super) tenant: Option<Spanned<String>>,
    pub(super) cloud: Option<Cloud>,
    pub(super) authority: Option<Spanned<String>>,
    pub(super) redirect_uri: Option<Spanned<String>>,
    pub(super) username: Option<String>,
    pub(super) broker: Option<Spanned<bool>>,
    pub(super) store: Option<StoreChoice>,
    pub(super) cache: Option<CacheChoice>,
    pub(super) network_timeout: Option<Spanned<u64>>,
    pub(super) ca_file: Option<PathBuf>,
    pub(super) imap_host: Option<Spanned<String>>,
    pub(super) smtp_host: Option<Spanned<String>>,
    pub(super) graph_host: Option<Spanned<String>>,
    pub(super) on_sign_in_needed: Option<Vec<String>>,
    /// In a profile only.
    pub(super) scopes: Option<Spanned<Vec<String>>>,
    /// In the file only. Each in a box, because the map reserves room for eleven at once (docs/performance.md).
    pub(super) profiles: BTreeMap<String, Box<Spanned<Table>>>,
}
