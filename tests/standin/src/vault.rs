//! Issued tokens and codes, and the users' consents.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use crate::random;
use crate::refusal::Refusal;
use crate::scope::{Permission, Scopes};
use crate::setup::{Account, Setup};

/// A sign-in that waits for the user's decision.
#[derive(Debug, Clone)]
pub(crate) struct Flow {
    pub tenant: String,
    pub client_id: String,
    pub redirect_uri: String,
    pub scopes: Scopes,
    pub state: Option<String>,
    pub nonce: Option<String>,
    pub code_challenge: Option<String>,
    pub claims: Option<String>,
}

pub(crate) struct Code {
    pub flow: Flow,
    pub account: Account,
    pub issued: Instant,
    pub redeemed: bool,
}

/// A refresh token, which is bound to client and account, but not to a resource.
pub(crate) struct RefreshToken {
    pub client_id: String,
    pub account: Account,
    /// Scopes of the sign-in, for refresh requests without a scope.
    pub scopes: Scopes,
    pub refused_with: Option<u32>,
}

pub(crate) struct AccessToken {
    pub account: Account,
    pub permissions: Vec<Permission>,
    pub expires: Instant,
}

pub(crate) enum Decision {
    Pending,
    Approved(Account),
    Declined,
    Redeemed,
}

pub(crate) struct Device {
    pub tenant: String,
    pub client_id: String,
    pub user_code: String,
    pub scopes: Scopes,
    pub expires: Instant,
    pub not_before: Option<Instant>,
    pub interval: std::time::Duration,
    pub decision: Decision,
    pub claims: Option<String>,
}

/// A certificate in an app registration.
pub(crate) struct RegisteredCertificate {
    /// SHA-256 of the DER encoding, in base64url.
    pub thumbprint: String,
    /// The RSA public key (PKCS #1).
    pub public_key: Vec<u8>,
    /// In seconds since 1970.
    pub expires: u64,
}

#[derive(Default)]
pub(crate) struct Vault {
    pub single_use_refresh_tokens: bool,
    pub flows: HashMap<String, Flow>,
    pub codes: HashMap<String, Code>,
    pub devices: HashMap<String, Device>,
    pub refresh_tokens: HashMap<String, RefreshToken>,
    pub access_tokens: HashMap<String, AccessToken>,
    pub secrets: Vec<String>,
    /// The claims that each request must contain, as JSON.
    pub demanded_claims: Option<String>,
    /// The certificates of confidential clients, by client ID.
    pub certificates: HashMap<String, RegisteredCertificate>,
    /// The IDs of the assertions that were presented.
    pub assertions: BTreeSet<String>,
    /// The mailbox that lets applications in.
    pub application_mailbox: Option<String>,
    consents: HashMap<(String, String), BTreeSet<Permission>>,
}

impl Vault {
    pub fn new(single_use_refresh_tokens: bool) -> Vault {
        Vault { single_use_refresh_tokens, ..Vault::default() }
    }

    /// Refuses a request whose `claims` are not those that are demanded (Microsoft: "Claims challenges").
    pub fn check_claims(&self, presented: Option<&str>) -> Result<(), Refusal> {
        match &self.demanded_claims {
            Some(demanded) if presented != Some(demanded) => {
                Err(Refusal { claims: Some(demanded.clone()), ..Refusal::new(50076) })
            }
            _ => Ok(()),
        }
    }

    pub fn consent(&mut self, client_id: &str, account: &Account, permissions: impl IntoIterator<Item = Permission>) {
        let key = (client_id.to_owned(), account.address.clone());
        self.consents.entry(key).or_default().extend(permissions);
    }

    /// Returns the permissions of a token, if the user has consented to all that are requested.
    pub fn consented(
        &self,
        client_id: &str,
        account: &Account,
        requested: &[Permission],
    ) -> Result<Vec<Permission>, Refusal> {
        let empty = BTreeSet::new();
        let key = (client_id.to_owned(), account.address.clone());
        let consents = self.consents.get(&key).unwrap_or(&empty);
        let mut granted = Vec::new();
        for permission in requested {
            if permission.is_default() {
                granted.extend(consents.iter().filter(|consent| consent.resource == permission.resource).cloned());
            } else if consents.contains(permission) {
                granted.push(permission.clone());
            }
            if granted.is_empty() || !permission.is_default() && granted.last() != Some(permission) {
                let message = format!(
                    "The user or administrator has not consented to use the application with ID '{client_id}'. \
                     Send an interactive authorization request for this user and resource."
                );
                return Err(Refusal::with_message(65001, message));
            }
        }
        Ok(granted)
    }

    pub fn issue_code(&mut self, setup: &Setup, flow: Flow, account: Account) -> String {
        let code = self.record_secret(random::opaque(setup.code_length.clone()));
        self.codes.insert(code.clone(), Code { flow, account, issued: Instant::now(), redeemed: false });
        code
    }

    pub fn issue_refresh_token(&mut self, setup: &Setup, client_id: &str, account: &Account, scopes: Scopes) -> String {
        let token = self.record_secret(random::opaque(setup.refresh_token_length.clone()));
        let entry =
            RefreshToken { client_id: client_id.to_owned(), account: account.clone(), scopes, refused_with: None };
        self.refresh_tokens.insert(token.clone(), entry);
        token
    }

    pub fn valid_access_token(&self, token: &str) -> Option<&AccessToken> {
        self.access_tokens.get(token).filter(|token| token.expires > Instant::now())
    }

    pub fn is_valid_refresh_token(&self, token: &str) -> bool {
        self.refresh_tokens.get(token).is_some_and(|token| token.refused_with.is_none())
    }

    pub fn revoke_all(&mut self, aadsts: u32) {
        for token in self.refresh_tokens.values_mut() {
            token.refused_with = Some(aadsts);
        }
    }

    /// Records a secret, which must not leak, and returns it.
    pub fn record_secret(&mut self, secret: String) -> String {
        self.secrets.push(secret.clone());
        secret
    }
}
