//! The AADSTS codes that users of mail and calendar programs encounter: the cause and the next step of each.
//!
//! Microsoft may change the codes and asks programs not to depend on them ("Microsoft Entra authentication and
//! authorization error codes"). They therefore choose the wording only, and `error` and `suberror` decide the kind of
//! an error. The exceptions are the codes with [`NextStep::Later`]: they come with various values of `error` and are
//! always transient.
//!
//! Causes and next steps contain placeholders, which [`fill`] replaces. `docs/aadsts.md` is generated from the table.

use super::Flow;
use crate::config::{ALWAYS_REQUESTED, Profile};

/// What to do about a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NextStep {
    /// Sign in again.
    SignIn,
    /// Sign in again and satisfy a requirement of the organisation, such as multifactor authentication.
    Interact,
    /// Contact the IT department: a policy blocks the sign-in.
    Policy,
    /// Present the credential of a managed device, or contact the IT department.
    ManagedDevice,
    /// Choose another account, or the tenant of the account.
    OtherAccount,
    /// Sign in again and consent.
    Consent,
    /// Ask an administrator for consent.
    AdministratorConsent,
    /// Change the configuration or the app registration, as the text says.
    Fix(&'static str),
    /// Wait: the failure is transient.
    Later,
}

impl NextStep {
    /// Returns the hint, with placeholders.
    pub(crate) fn hint(self, flow: Flow) -> &'static str {
        match self {
            Self::SignIn if flow.is_sign_in() => "run {get_token}",
            Self::SignIn => "run {get_token} to sign in again",
            Self::Interact => "run {get_token} and follow the instructions in the browser",
            Self::Policy => {
                "contact your IT department and quote Microsoft's reference; signing in again does not help"
            }
            Self::ManagedDevice => {
                "on a Linux device that your organisation manages, add linux-entra-sso to the browser, then run \
                 {get_token}; otherwise contact your IT department and quote Microsoft's reference"
            }
            Self::OtherAccount => {
                "run {get_token} and choose another account, or set tenant in {file} to the account's tenant"
            }
            Self::Consent => "run {get_token} and accept the requested permissions",
            Self::AdministratorConsent => "forward this URL to an administrator:\n{admin_consent}",
            Self::Fix(hint) => hint,
            Self::Later => "try again later",
        }
    }
}

/// Replaces the placeholders of a text with the values of the profile.
pub(crate) fn fill(text: &str, profile: &Profile, flow: Flow) -> String {
    let values = [
        ("{get_token}", &*flow.get_token(profile)),
        ("{grant}", flow.grant()),
        ("{profile}", profile.name.as_str()),
        ("{scopes}", &scopes(profile)),
        ("{client_id}", profile.client_id.as_str()),
        ("{tenant}", profile.authority.tenant()),
        ("{admin_consent}", &admin_consent(profile)),
        ("{redirect_uri}", profile.redirect_uri.as_str()),
        ("{file}", &profile.file.display().to_string()),
    ];
    values.iter().fold(text.to_owned(), |text, (placeholder, value)| text.replace(placeholder, value))
}

/// Returns the URL of the page on which an administrator consents to the profile's client.
pub(crate) fn admin_consent(profile: &Profile) -> String {
    format!("{}?client_id={}", profile.authority.admin_consent(), profile.client_id.as_str())
}

/// Returns the profile's own scopes, separated by spaces.
fn scopes(profile: &Profile) -> String {
    let own = profile.scopes.iter().map(|scope| scope.as_str()).filter(|scope| !ALWAYS_REQUESTED.contains(scope));
    own.collect::<Vec<_>>().join(" ")
}

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Advice {
    pub(crate) code: u32,
    /// A sentence without a capital letter and a full stop, with placeholders.
    pub(crate) cause: &'static str,
    pub(crate) next: NextStep,
}

/// Returns the advice for a code, if it is in the table.
pub(crate) fn advice(code: u32) -> Option<&'static Advice> {
    TABLE.iter().find(|advice| advice.code == code)
}

const fn row(code: u32, cause: &'static str, next: NextStep) -> Advice {
    Advice { code, cause, next }
}

use NextStep::{AdministratorConsent, Consent, Fix, Interact, Later, ManagedDevice, OtherAccount, Policy, SignIn};

const USE_OWN_TENANT: &str = "set tenant in {file} to your organisation's tenant ID or domain";
const USE_ORGANIZATIONS: &str =
    "set tenant in {file} to \"organizations\", or to your organisation's tenant ID or domain";
pub(super) const CHECK_SCOPES: &str = "compare the scopes of profile \"{profile}\" in {file} with those in \
                                       docs/register-an-application.md; mail scopes of personal accounts begin with \
                                       https://outlook.office.com/";
const SPLIT_PROFILE: &str = "move the scopes of each service to a profile of its own in {file}";
const ADD_REDIRECT_URI: &str = "add {redirect_uri} to the app registration under \"Mobile and desktop applications\", or under \"Web\" if it has a secret";
const NEW_SECRET: &str =
    "create a client secret in the app registration, and set client_secret in {file} to its Value (not its Secret ID)";
const SET_CLOUD: &str = "set cloud in {file} to the cloud of your organisation: global, us-gov or china";
const CLOUD_WITHOUT_SECRET: &str =
    "set cloud in {file} to the cloud of your organisation, or client_id to an app registration without a secret";

/// The codes of Microsoft's documentation and of user reports.
#[rustfmt::skip] // one code per line
pub(crate) static TABLE: &[Advice] = &[
    row(70008, "the {grant} has expired", SignIn),
    row(700_082, "the refresh token has expired, because it was not used for 90 days", SignIn),
    row(70043, "your organisation requires a new sign-in from time to time (sign-in frequency)", SignIn),
    row(50173, "the refresh token was revoked: the password was changed, or all sessions were ended", SignIn),
    row(50132, "the refresh token was revoked: the password was changed or has expired", SignIn),
    row(50133, "the refresh token was revoked: the password was changed or has expired", SignIn),
    row(50089, "the sign-in session has expired", SignIn),
    row(70000, "the {grant} is not valid", SignIn),
    row(50078, "your multifactor authentication has expired", SignIn),
    row(9_002_313, "Microsoft reported a malformed request; the {grant} may be damaged", SignIn),
    row(700_084, "the refresh token was issued to a single-page application, where it expires after 24 hours", SignIn),
    row(54005, "the authorization code has already been redeemed", SignIn),
    row(50126, "the user name or the password is not correct", SignIn),
    row(501_481, "the authorization code belongs to another sign-in (PKCE)", SignIn),
    row(50074, "your organisation requires multifactor authentication", Interact),
    row(50076, "your organisation requires multifactor authentication, perhaps because of your location", Interact),
    row(50079, "your organisation requires you to set up multifactor authentication", Interact),
    row(50072, "your organisation requires you to set up multifactor authentication", Interact),
    row(50158, "your organisation requires an additional check by an external provider", Interact),
    row(700_020, "Microsoft requires an interactive sign-in", Interact),
    row(50055, "your password has expired", Interact),
    row(50097, "your organisation requires a registered device", ManagedDevice),
    row(50131, "blocked by your organisation's Conditional Access policy, perhaps because of the device or its location", Interact),
    row(53000, "your organisation allows managed devices only; this device is not compliant", ManagedDevice),
    row(53001, "your organisation allows domain-joined devices only; this device is not joined", ManagedDevice),
    row(53002, "your organisation allows approved apps only; this is not one", Policy),
    row(53003, "blocked by your organisation's Conditional Access policy", Policy),
    row(53011, "your account is blocked, because your organisation considers it at risk", Policy),
    row(530_032, "blocked by your organisation's security policy", Policy),
    row(530_035, "blocked by your organisation's security defaults", Policy),
    row(50005, "your organisation does not allow this platform (Conditional Access)", Policy),
    row(53009, "your organisation requires an Intune app protection policy, which this program does not support", Policy),
    row(530_003, "your organisation allows managed devices only; this device is not managed", ManagedDevice),
    row(530_034, "your account is blocked as a delegated administrator, because it is considered at risk", Policy),
    row(530_084, "your organisation requires token protection, which this program does not support", Policy),
    row(135_010, "your account has no key for this device (Windows Hello for Business)", Policy),
    row(135_011, "this device is disabled in your organisation", Policy),
    row(50105, "your organisation has not assigned the application {client_id} to your account", Policy),
    row(50053, "your account is locked, or the sign-in came from an IP address with malicious activity", Policy),
    row(50057, "your account is disabled", Policy),
    row(50020, "this account does not exist in tenant \"{tenant}\"", OtherAccount),
    row(50034, "this account does not exist in tenant \"{tenant}\"", OtherAccount),
    row(90072, "this account does not exist in tenant \"{tenant}\"", OtherAccount),
    row(16000, "Microsoft cannot determine which account to use, or the chosen account is not allowed in tenant \"{tenant}\"", OtherAccount),
    row(500_200, "client {client_id} does not accept personal accounts", OtherAccount),
    row(500_341, "the account was deleted from tenant \"{tenant}\"", OtherAccount),
    row(700_005, "the authorization code was issued for a tenant other than \"{tenant}\"", OtherAccount),
    row(65001, "you have not consented to the scopes of profile \"{profile}\" for client {client_id}", Consent),
    row(65002, "client {client_id} is a Microsoft application that is not authorised for these scopes", Fix("set client_id in {file} to another app registration")),
    row(65004, "the consent was declined", Consent),
    row(90094, "client {client_id} requires administrator consent", AdministratorConsent),
    row(90095, "client {client_id} requires administrator consent", AdministratorConsent),
    row(650_056, "client {client_id} lacks an API permission or administrator consent", AdministratorConsent),
    row(650_057, "the app registration of client {client_id} does not list the service of profile \"{profile}\"", Fix("add the service's API permissions to the app registration, or correct the profile's scopes in {file}")),
    row(50011, "the redirect URI {redirect_uri} is not registered for client {client_id}", Fix("add exactly this URI to the app registration, or set redirect_uri in {file}")),
    row(500_113, "no redirect URI is registered for client {client_id}", Fix(ADD_REDIRECT_URI)),
    row(900_971, "no redirect URI is registered for client {client_id}", Fix(ADD_REDIRECT_URI)),
    row(9_002_327, "the redirect URI {redirect_uri} is registered for a single-page application", Fix("register this URI under \"Mobile and desktop applications\" in the app registration of client {client_id}")),
    row(700_016, "client {client_id} does not exist in tenant \"{tenant}\"", Fix("compare client_id and tenant in {file} with the app registration")),
    row(50194, "client {client_id} is a single-tenant app: tenant \"{tenant}\" is not allowed", Fix(USE_OWN_TENANT)),
    row(50059, "the request does not name a tenant", Fix(USE_OWN_TENANT)),
    row(9_001_023, "tenant \"{tenant}\" is not allowed for this flow", Fix(USE_ORGANIZATIONS)),
    row(90130, "tenant \"{tenant}\" is not allowed for client {client_id}", Fix(USE_ORGANIZATIONS)),
    row(9_002_332, "client {client_id} is for work and school accounts only", Fix(USE_ORGANIZATIONS)),
    row(9_002_331, "client {client_id} is for personal accounts only", Fix("set tenant in {file} to \"consumers\"")),
    row(7_000_218, "client {client_id} requires a client secret", Fix("register {redirect_uri} in the app registration under \"Mobile and desktop applications\", or set client_secret in {file}")),
    row(700_025, "client {client_id} is a public client, which cannot have a client secret or certificate", Fix("remove client_secret or client_certificate from {file}")),
    row(90023, "Microsoft rejected a parameter of the request, such as the client secret of a public client", Fix("if client {client_id} is a public client, remove client_secret from {file}")),
    row(7_000_215, "the client secret of client {client_id} is not valid", Fix(NEW_SECRET)),
    row(7_000_222, "the client secret of client {client_id} has expired", Fix(NEW_SECRET)),
    row(700_027, "Microsoft does not accept the certificate of client {client_id}", Fix("add the certificate in client_certificate to the app registration under \"Certificates & secrets\"; if it has expired, create another one")),
    row(700_024, "the client assertion is not valid at this time", Fix("set this machine's clock, for example with `sudo timedatectl set-ntp true`")),
    row(7_000_229, "client {client_id} has no service principal in tenant \"{tenant}\"", Fix("ask an administrator to consent at {admin_consent}")),
    row(1_002_012, "the scope of client {client_id} must end with /.default: {scopes}", Fix("set scopes of profile \"{profile}\" in {file} to one scope that ends with /.default, or remove scopes")),
    row(7_000_112, "client {client_id} is disabled", Fix("ask your administrator to enable the client, or set client_id in {file} to another app registration")),
    row(90002, "tenant \"{tenant}\" does not exist", Fix("correct tenant (or authority) in {file}")),
    row(70011, "profile \"{profile}\" requests a scope that does not exist: {scopes}", Fix(CHECK_SCOPES)),
    row(650_053, "profile \"{profile}\" requests a scope that its service does not have: {scopes}", Fix(CHECK_SCOPES)),
    row(500_011, "a service that profile \"{profile}\" requests does not exist in tenant \"{tenant}\": {scopes}", Fix(CHECK_SCOPES)),
    row(28002, "the scopes of profile \"{profile}\" are not valid for a token request: {scopes}", Fix(CHECK_SCOPES)),
    row(28000, "profile \"{profile}\" requests scopes of several services, but a token is valid for one only", Fix(SPLIT_PROFILE)),
    row(700_022, "profile \"{profile}\" requests scopes of several services, but a token is valid for one only", Fix(SPLIT_PROFILE)),
    row(90038, "the account belongs to another national cloud", Fix(SET_CLOUD)),
    row(900_382, "a client secret cannot be used across national clouds", Fix(CLOUD_WITHOUT_SECRET)),
    row(900_432, "a client secret cannot be used across national clouds", Fix(CLOUD_WITHOUT_SECRET)),
    row(50033, "Microsoft reported a temporary error", Later),
    row(50087, "Microsoft reported a temporary error", Later),
    row(90006, "a Microsoft service is temporarily unavailable", Later),
    row(90012, "the request timed out at Microsoft", Later),
    row(90024, "Microsoft reported a temporary error", Later),
    row(90033, "Microsoft's directory service is temporarily unavailable", Later),
    row(90090, "a Microsoft service is temporarily unavailable", Later),
    row(40010, "Microsoft reported a temporary error", Later),
    row(70012, "Microsoft reported a temporary error", Later),
    row(80005, "your organisation's authentication agent reported a temporary error", Later),
    row(90055, "too many requests: your organisation is throttled", Later),
    row(50196, "too many requests in a short time: this client is throttled", Later),
];

#[cfg(test)]
mod tests {
    use super::TABLE;

    #[test]
    fn each_code_is_listed_once() {
        for (index, advice) in TABLE.iter().enumerate() {
            assert!(TABLE[..index].iter().all(|other| other.code != advice.code), "{}", advice.code);
        }
    }
}
