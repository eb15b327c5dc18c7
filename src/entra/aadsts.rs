//! The AADSTS codes that users meet: what each means, and what to do next. Data; the order is that of the next steps.
//!
//! Microsoft may change the codes ("Microsoft Entra authentication and authorization error codes": programs should
//! not depend on them), so that they choose words only. What a refusal *is* stands in its `error`; the exceptions are
//! the codes under [`NextStep::Later`], which come under many an `error` and mean the same everywhere.
//!
//! `docs/troubleshooting.md` repeats this table; a test compares the two.

/// What a person does about a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NextStep {
    /// Sign in again.
    SignIn,
    /// Sign in again, and do there what the organisation wants: a second factor, a new password.
    Interact,
    /// Talk to the organisation: a policy stands in the way.
    Policy,
    /// Choose another account, or the account's own tenant.
    OtherAccount,
    /// Consent at a sign-in.
    Consent,
    /// Forward the address of the administrator's consent.
    AdministratorConsent,
    /// Mend the configuration or the app registration; what exactly.
    Fix(&'static str),
    /// Wait.
    Later,
}

/// One row of the table.
#[derive(Debug)]
pub(crate) struct Advice {
    pub(crate) code: u32,
    /// A sentence without its full stop.
    pub(crate) cause: &'static str,
    pub(crate) next: NextStep,
}

/// The advice for a code, if it is one that users meet.
pub(crate) fn advice(code: u32) -> Option<&'static Advice> {
    TABLE.iter().find(|advice| advice.code == code)
}

const fn row(code: u32, cause: &'static str, next: NextStep) -> Advice {
    Advice { code, cause, next }
}

use NextStep::{AdministratorConsent, Consent, Fix, Interact, Later, OtherAccount, Policy, SignIn};

const USE_TENANT: &str = "set tenant in config.toml to your organisation's tenant ID or domain";
const CHECK_CLIENT_ID: &str = "compare client_id and tenant in config.toml with the app registration";
const CHECK_SCOPES: &str = "compare the profile's scopes in config.toml with the README's list";
const CHECK_SECRET: &str = "make a new secret in the app registration, and put its Value into client_secret";
const CHECK_CLOUD: &str = "set cloud in config.toml to the cloud of your organisation: global, us-gov or china";

/// The codes of Microsoft's documentation that mail and calendar programs meet.
pub(crate) static TABLE: &[Advice] = &[
    row(70008, "The stored sign-in has expired", SignIn),
    row(700_082, "The stored sign-in was not used for 90 days, and has expired", SignIn),
    row(70043, "Your organisation asks for a new sign-in from time to time, and the time is up", SignIn),
    row(50173, "The stored sign-in was revoked: the password was changed, or an administrator ended it", SignIn),
    row(50132, "The stored sign-in was revoked: the password was changed or has expired", SignIn),
    row(50133, "The stored sign-in was revoked: the password was changed", SignIn),
    row(50089, "The sign-in took too long, or has expired", SignIn),
    row(70000, "The stored sign-in is not valid any more", SignIn),
    row(50078, "Your organisation asks for the second factor anew", SignIn),
    row(9_002_313, "Microsoft could not read the request; the stored token may be damaged", SignIn),
    row(700_084, "The stored sign-in came from a web page's registration, and lives for 24 hours only", SignIn),
    row(54005, "The sign-in's code was used before", SignIn),
    row(501_481, "The sign-in's answer belongs to another sign-in", SignIn),
    row(50074, "Your organisation asks for a second factor", Interact),
    row(50076, "Your organisation asks for a second factor from here", Interact),
    row(50079, "Your organisation asks you to set up a second factor", Interact),
    row(50072, "Your organisation asks you to set up a second factor", Interact),
    row(50158, "Your organisation asks for one more proof, from another provider", Interact),
    row(700_020, "Microsoft wants to ask you something", Interact),
    row(50055, "Your password has expired", Interact),
    row(50097, "Your organisation asks for a registered device", Interact),
    row(50131, "Your organisation does not accept this device or this place", Interact),
    row(53000, "Your organisation lets only managed devices in, and this one does not comply", Policy),
    row(53001, "Your organisation lets only its own (domain-joined) devices in", Policy),
    row(53002, "Your organisation lets only approved programs in, and this is none", Policy),
    row(53003, "A rule of your organisation (Conditional Access) forbids this sign-in", Policy),
    row(53011, "Your account is blocked for risk", Policy),
    row(530_032, "A rule of your organisation (security policy) forbids this sign-in", Policy),
    row(530_035, "A rule of your organisation (security defaults) forbids this sign-in", Policy),
    row(50105, "Your organisation has not assigned this application to you", Policy),
    row(50053, "Your account is locked, or you sign in from an IP address with a bad reputation", Policy),
    row(50057, "Your account is disabled", Policy),
    row(50020, "This account does not belong to the tenant", OtherAccount),
    row(50034, "The tenant does not know this account", OtherAccount),
    row(90072, "This account does not belong to the tenant", OtherAccount),
    row(700_005, "The sign-in's code belongs to another tenant", OtherAccount),
    row(65001, "The application has no consent for what the profile asks", Consent),
    row(65002, "Microsoft alone can give this application this permission", Fix("use another client_id")),
    row(65004, "The consent was declined", Consent),
    row(90094, "An administrator must consent to this application", AdministratorConsent),
    row(90095, "An administrator must consent to this application", AdministratorConsent),
    row(650_056, "The app registration lacks a permission, or the consent of an administrator", AdministratorConsent),
    row(650_057, "The app registration does not list the service that the profile asks for", Fix(CHECK_SCOPES)),
    row(
        50011,
        "The app registration does not have this redirect address",
        Fix("put redirect_uri of config.toml into the app registration, to the letter"),
    ),
    row(700_016, "The tenant does not know this client ID", Fix(CHECK_CLIENT_ID)),
    row(50194, "The app registration is for one tenant only", Fix(USE_TENANT)),
    row(9_001_023, "The address of a whole tenant group cannot be used for this", Fix(USE_TENANT)),
    row(90130, "The address of all tenants cannot be used for this", Fix(USE_TENANT)),
    row(
        9_002_332,
        "The app registration is for work and school accounts only",
        Fix("set tenant in config.toml to \"organizations\" or your tenant ID"),
    ),
    row(
        9_002_331,
        "The app registration is for personal accounts only",
        Fix("set tenant in config.toml to \"consumers\""),
    ),
    row(
        7_000_218,
        "The app registration demands a client secret",
        Fix("register the redirect address under \"Mobile and desktop applications\", or set client_secret"),
    ),
    row(
        700_025,
        "The app registration is of a kind that takes no client secret",
        Fix("take client_secret out of config.toml"),
    ),
    row(7_000_215, "The client secret is wrong", Fix(CHECK_SECRET)),
    row(7_000_222, "The client secret has expired", Fix(CHECK_SECRET)),
    row(7_000_112, "The application is disabled", Fix("use another client_id, or ask your administrator")),
    row(90002, "There is no such tenant", Fix("see tenant or authority in config.toml")),
    row(70011, "The profile asks for something that does not exist", Fix(CHECK_SCOPES)),
    row(500_011, "The tenant does not know the service that the profile asks for", Fix(CHECK_SCOPES)),
    row(28002, "The profile's scopes cannot be combined", Fix(CHECK_SCOPES)),
    row(28000, "The profile asks for two services, and one token is for one", Fix("make a profile of each service")),
    row(700_022, "The profile asks for two services, and one token is for one", Fix("make a profile of each service")),
    row(90038, "The account belongs to another cloud of Microsoft's", Fix(CHECK_CLOUD)),
    row(900_382, "The application does not belong to this cloud of Microsoft's", Fix(CHECK_CLOUD)),
    row(
        900_432,
        "A client secret cannot be used across Microsoft's clouds",
        Fix("use the cloud of your organisation, or a registration without a secret"),
    ),
    row(50033, "Microsoft had a passing fault", Later),
    row(50087, "Microsoft had a passing fault", Later),
    row(90006, "A service that Microsoft needs did not answer", Later),
    row(90012, "Microsoft took too long", Later),
    row(90024, "Microsoft is too busy", Later),
    row(90033, "Microsoft had a passing fault", Later),
    row(90090, "Microsoft had a passing fault", Later),
    row(40010, "Microsoft had a passing fault", Later),
    row(70012, "Microsoft had a passing fault", Later),
    row(80005, "Your organisation's own sign-in service did not answer", Later),
    row(90055, "There were too many requests", Later),
    row(50196, "There were too many requests in a short time; the stored token is still good", Later),
];

#[cfg(test)]
mod tests {
    use super::TABLE;

    #[test]
    fn each_code_stands_once() {
        for (index, advice) in TABLE.iter().enumerate() {
            assert!(TABLE[..index].iter().all(|other| other.code != advice.code), "{}", advice.code);
        }
    }

    #[test]
    fn the_troubleshooting_page_has_every_code_and_its_cause() {
        let page = include_str!("../../docs/troubleshooting.md");
        for advice in TABLE {
            let row = format!("| {} | {} |", advice.code, advice.cause);
            assert!(page.contains(&row), "docs/troubleshooting.md lacks this row:\n{row}");
        }
    }
}
