//! The questions about a profile that is not configured yet: which application, whose mailbox, which tenant.

use std::path::Path;

use super::python_config::PythonConfig;
use super::stderr::{print, progress, prompt, prompt_hidden};
use crate::check::preflight;
use crate::config::{
    Authority, Cloud, Config, DEFAULT_REDIRECT_URI, ProfileName, built_in_scopes, client_id, key_of, redirect_uri,
};

/// The client ID that Thunderbird publishes in its source code (OAuth2Providers.sys.mjs). Its registered redirect URI
/// is `https://localhost`, which the default of `redirect_uri` matches.
const THUNDERBIRD: &str = "9e5f94bc-e8a4-4e73-b8be-63364c29d753";
/// The redirect URI for an app registration of one's own: the browser does not warn about a certificate.
const OWN_REDIRECT_URI: &str = "http://localhost/";

/// The answers: keys of `config.toml` with their values, as TOML.
#[derive(Default)]
pub(super) struct Answers(Vec<(&'static str, toml::Value)>);

/// Where the client ID comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Application {
    /// The configuration has it.
    Configured,
    Own,
    Thunderbird,
    Other,
}

impl Answers {
    /// Returns the values of the Python tool's configuration that are valid.
    pub(super) fn of(python: &PythonConfig) -> Self {
        let mut answers = Self::default();
        let values = [
            ("client_id", &python.client_id, client_id(&python.client_id).is_ok()),
            ("client_secret", &python.client_secret, true),
            ("authority", &python.authority, Authority::parse(&python.authority).is_ok()),
            ("redirect_uri", &python.redirect_uri, redirect_uri(&python.redirect_uri).is_ok()),
        ];
        values.into_iter().filter(|(.., is_valid)| *is_valid).for_each(|(key, value, _)| answers.set(key, value));
        answers
    }

    pub(super) fn has(&self, key: &str) -> bool {
        self.0.iter().any(|(name, _)| *name == key)
    }

    /// Sets a value unless it is empty.
    fn set(&mut self, key: &'static str, value: &str) {
        if !value.is_empty() {
            self.0.push((key, value.into()));
        }
    }

    /// Returns the lines of `config.toml` that set the values.
    pub(super) fn lines(&self) -> impl Iterator<Item = (&'static str, String)> {
        self.0.iter().map(|(key, value)| (*key, format!("{key} = {value}\n")))
    }
}

/// Asks for what a new configuration needs and `answers` does not have. Returns None at the end of the input.
pub(super) fn of_new_configuration(file: &Path, mut answers: Answers) -> Option<Answers> {
    let mail: ProfileName = "mail".parse().ok()?;
    let application = choose(
        "Every application that requests tokens has a client ID. Which one do you want to use?",
        "Application",
        &[
            (Application::Own, "my own app registration (recommended; see \"Recipes\" in the README)"),
            (Application::Thunderbird, "Thunderbird's public client ID (mail only; shown as \"Mozilla Thunderbird\")"),
            (Application::Other, "a client ID that I was given"),
        ],
    )?;
    ask_for_application(&mut answers, application)?;
    let address = ask_for_address()?;
    answers.set("username", &address);
    if !answers.has("authority") {
        let exists = |domain: &str| is_tenant(file, "", &mail, domain);
        ask_for_tenant(&mut answers, application, &address, "common", &exists)?;
    }
    if matches!(application, Application::Own | Application::Other) && !answers.has("redirect_uri") {
        ask_for_redirect_uri(&mut answers, application)?;
    }
    Some(answers)
}

/// Asks for what a new profile of a configuration needs. Returns None at the end of the input.
pub(super) fn of_new_profile(config: &Config, name: &ProfileName) -> Option<Answers> {
    let mut answers = Answers::default();
    let configured = config.client_id().map(|id| format!("the configured client ID ({id})"));
    let configured = configured.as_deref().map(|text| (Application::Configured, text));
    let others = [
        (Application::Own, "another app registration of mine"),
        (Application::Thunderbird, "Thunderbird's public client ID (mail only)"),
        (Application::Other, "a client ID that I was given"),
    ];
    let choices: Vec<(Application, &str)> = configured.into_iter().chain(others).collect();
    let application = choose("Which application does it use?", "Application", &choices)?;
    ask_for_application(&mut answers, application)?;
    let service = choose(
        "\nWhat is it for? A token is valid for one service.",
        "Service",
        &[("mail", "mail (IMAP and SMTP)"), ("calendar", "the calendar")],
    )?;
    let scopes = service.parse().ok().and_then(|service| built_in_scopes(&service, config.cloud()));
    answers.0.push(("scopes", scopes.unwrap_or_default().into()));
    let address = ask_for_address()?;
    answers.set("username", &address);
    if !config.has_authority() {
        let exists = |domain: &str| is_tenant(config.file(), config.text(), name, domain);
        let configured = config.tenant().unwrap_or("common").to_owned();
        ask_for_tenant(&mut answers, application, &address, &configured, &exists)?;
    }
    if matches!(application, Application::Own | Application::Other) {
        ask_for_redirect_uri(&mut answers, application)?;
    }
    Some(answers)
}

fn ask_for_application(answers: &mut Answers, application: Application) -> Option<()> {
    match application {
        Application::Configured => return Some(()),
        Application::Thunderbird => {
            answers.set("client_id", THUNDERBIRD);
            return Some(());
        }
        Application::Own | Application::Other => {}
    }
    if !answers.has("client_id") {
        print("\nThe client ID is on the overview page of the app registration: \"Application (client) ID\".");
        let id = prompt_until_valid("Client ID", "", |text| client_id(&bare_guid(text)).map(drop))?;
        answers.set("client_id", &bare_guid(&id));
    }
    if !answers.has("client_secret") {
        print("\nOnly an app registration of the type \"Web\" has a client secret. It is not shown while you type.");
        let secret = loop {
            let secret = prompt_hidden("Client secret (press Enter to skip)")?;
            if client_id(&secret).is_err() {
                break secret;
            }
            print("This is a GUID, such as the ID of the secret. Enter the value of the secret.");
        };
        answers.set("client_secret", &secret);
    }
    Some(())
}

fn ask_for_address() -> Option<String> {
    print("\nIf you enter your mail address, Microsoft does not ask which account to use.");
    prompt_until_valid("Mail address (press Enter to skip)", "", |address| {
        let is_valid = address.split_once('@').is_some_and(|(name, domain)| !name.is_empty() && domain.contains('.'));
        match address.is_empty() || is_valid && !address.contains(char::is_whitespace) {
            true => Ok(()),
            false => Err("have the form ada@example.com"),
        }
    })
}

/// Asks for the tenant, and sets it unless the answer is `configured`, which applies anyway.
fn ask_for_tenant(
    answers: &mut Answers,
    application: Application,
    address: &str,
    configured: &str,
    exists: &dyn Fn(&str) -> bool,
) -> Option<()> {
    let is_own = application == Application::Own;
    print(match is_own {
        true => {
            "\nThe tenant is your organisation at Microsoft: its ID or its domain. Most app registrations are for one \
             organisation and work with its tenant only."
        }
        false => {
            "\nThe tenant is your organisation at Microsoft: its ID or its domain. \"common\" accepts every account."
        }
    });
    let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
    let found = match domain {
        "" => configured,
        // These domains are also tenants of Microsoft itself, in which personal accounts do not exist.
        domain if is_personal(domain) && is_own => "consumers",
        domain if is_personal(domain) => "common",
        domain if exists(domain) => domain,
        _ => configured,
    };
    let tenant = prompt_until_valid("Tenant", found, |tenant| Authority::of_tenant(Cloud::Global, tenant).map(drop))?;
    if tenant != configured {
        answers.set("tenant", &tenant);
    }
    Some(())
}

fn ask_for_redirect_uri(answers: &mut Answers, application: Application) -> Option<()> {
    let offered = if application == Application::Own { OWN_REDIRECT_URI } else { DEFAULT_REDIRECT_URI };
    print("\nMicrosoft sends the browser to the redirect URI after the sign-in. The app registration must contain it.");
    let uri = prompt_until_valid("Redirect URI", offered, |uri| redirect_uri(uri).map(drop))?;
    answers.set("redirect_uri", &uri);
    Some(())
}

/// Returns whether the login host has a tenant of this domain. `base` is the rest of the configuration: its keys, such
/// as `ca_file`, apply to the request.
fn is_tenant(file: &Path, base: &str, name: &ProfileName, domain: &str) -> bool {
    let text = format!(
        "{base}\n[profiles.{}]\nclient_id = '{THUNDERBIRD}'\nscopes = ['openid']\ntenant = {}\n",
        key_of(name.as_str()),
        toml::Value::from(domain)
    );
    let Ok(profile) = Config::parse(file, text).and_then(|config| config.profile(name)) else { return false };
    progress(&format!("Looking up the tenant of {domain}…"));
    let exists = preflight::tenant_exists(&profile);
    progress("");
    exists
}

/// Returns whether the domain is one of Microsoft's for personal accounts, such as hotmail.co.uk.
fn is_personal(domain: &str) -> bool {
    let domain = domain.to_lowercase();
    let Some((name, rest)) = domain.split_once('.') else { return false };
    let country = rest.strip_prefix("com.").or(rest.strip_prefix("co.")).unwrap_or(rest);
    ["outlook", "hotmail", "live", "msn"].contains(&name) && (rest == "com" || country.len() == 2)
}

/// Removes what surrounds a GUID that was copied from a program: braces, quotation marks and spaces.
fn bare_guid(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace() && !['{', '}', '"', '\'', '(', ')'].contains(c)).collect()
}

/// Asks for one of the choices by its number. The first one is the default.
fn choose<T: Copy>(explanation: &str, question: &str, choices: &[(T, &str)]) -> Option<T> {
    print(explanation);
    for (number, (_, text)) in choices.iter().enumerate() {
        print(&format!("  {}  {text}", number + 1));
    }
    let chosen = |text: &str| text.parse::<usize>().ok().and_then(|number| choices.get(number.checked_sub(1)?));
    let answer = prompt_until_valid(question, "1", |text| chosen(text).map(drop).ok_or("be one of the numbers above"))?;
    chosen(&answer).map(|(value, _)| *value)
}

/// Asks until the answer is valid.
fn prompt_until_valid(
    question: &str,
    offered: &str,
    check: impl Fn(&str) -> Result<(), &'static str>,
) -> Option<String> {
    loop {
        let text = prompt(question, offered)?;
        match check(&text) {
            Ok(()) => return Some(text),
            Err(must) => print(&format!("\"{text}\" is not valid: it must {must}.")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_of_personal_accounts_are_recognized() {
        for domain in ["outlook.com", "hotmail.co.uk", "live.nl", "Outlook.com.br", "msn.com"] {
            assert!(is_personal(domain), "{domain}");
        }
        for domain in ["example.com", "outlook.example.com", "live.example", "hotmail"] {
            assert!(!is_personal(domain), "{domain}");
        }
    }

    #[test]
    fn a_guid_can_be_pasted_with_what_surrounds_it() {
        for text in ["{9E5F94BC-e8a4-4e73-b8be-63364c29d753}", " '9E5F94BC-e8a4-4e73-b8be-63364c29d753' "] {
            assert_eq!(bare_guid(text), "9E5F94BC-e8a4-4e73-b8be-63364c29d753");
        }
    }
}
