//! An application that requests tokens for itself: with a secret, a secret from a program, or a certificate.

use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, KeyPair, PublicKeyData as _};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use standin::{CLIENT_SECRET, CONFIDENTIAL_CLIENT_ID, Fault, Outage, TENANT_ID};

#[cfg(unix)]
use crate::support::set_mode;
use crate::support::{Home, Run};

/// A key for these tests alone, because the libraries cannot generate an RSA key.
const KEY: &str = include_str!("../support/rsa_key.pem");
const DAY: u64 = 24 * 60 * 60;
const LONG: Option<Duration> = Some(Duration::from_secs(100 * DAY));

/// Writes a profile of the application, with these further lines.
pub fn configure(home: &Home, lines: &str) {
    home.configure(
        &home
            .configuration()
            .replace(&home.standin.authority(), &home.standin.authority_for(TENANT_ID))
            .replace(standin::PUBLIC_CLIENT_ID, CONFIDENTIAL_CLIENT_ID)
            .replace("client_id", &format!("grant = 'client_credentials'\n{lines}\nclient_id")),
    );
}

fn home(lines: &str) -> Home {
    let home = Home::new();
    configure(&home, lines);
    home
}

pub fn secret() -> String {
    format!("client_secret = '{CLIENT_SECRET}'")
}

/// Writes a certificate that expires after this time, or has expired, with its key, and registers it.
fn write_certificate(home: &Home, left: Option<Duration>, key: &str) -> PathBuf {
    let pair = KeyPair::from_pem(KEY).unwrap();
    let mut parameters = CertificateParams::new(vec![]).unwrap();
    parameters.not_before = (SystemTime::now() - Duration::from_secs(400 * DAY)).into();
    let yesterday = SystemTime::now() - Duration::from_secs(DAY);
    let not_after = left.map_or(yesterday, |left| SystemTime::now() + left);
    parameters.not_after = not_after.into();
    let certificate = parameters.self_signed(&pair).unwrap();
    let expires = not_after.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    home.standin.register_certificate(CONFIDENTIAL_CLIENT_ID, certificate.der(), pair.der_bytes(), expires);
    let file = home.path().join("app.pem");
    std::fs::write(&file, format!("{}{key}", certificate.pem())).unwrap();
    #[cfg(unix)]
    set_mode(&file, 0o600);
    file
}

/// A home whose application has a certificate.
fn home_with_certificate(left: Option<Duration>, key: &str) -> Home {
    let home = Home::new();
    let file = write_certificate(&home, left, key);
    configure(&home, &format!("client_certificate = '{}'", file.display()));
    home
}

#[track_caller]
fn assert_fails(run: &Run, code: i32, texts: &[&str]) {
    let error = run.fails_with(code);
    for text in texts {
        assert!(error.contains(text), "{text}: {run:?}");
    }
}

#[test]
fn a_secret_gets_a_token_without_a_sign_in_and_nothing_is_stored() {
    let home = home(&secret());
    let run = home.refresh();
    assert!(home.standin.is_valid_access_token(run.token()));
    assert_eq!(run.stderr, "");
    let sent = &home.standin.requests()[0].parameters;
    assert_eq!(sent["grant_type"], "client_credentials");
    assert_eq!(sent["scope"], "https://outlook.office365.com/.default");
    assert_eq!(home.token_in_file("mail"), None);
}

#[test]
fn get_token_says_that_no_sign_in_is_needed() {
    let home = home(&secret());
    let run = home.run("get-token", [""; 0]);
    assert!(home.standin.is_valid_access_token(run.token()));
    assert!(run.stderr.contains("no sign-in is needed"), "{run:?}");
    assert_fails(&home.run("get-token", ["--with-token"]), 64, &["no refresh token is stored"]);
    assert_fails(
        &home.run("get-token", ["-p", "mail", "-p", "calendar"]),
        64,
        &["their application requests its own tokens"],
    );
}

#[test]
fn get_refresh_token_says_that_there_is_none() {
    let run = home(&secret()).run("get-refresh-token", [""; 0]);
    assert_fails(&run, 78, &["has no refresh token", "client_credentials", "run `refresh-token --profile mail`"]);
}

#[test]
fn the_mailbox_of_xoauth2_is_the_username() {
    let home = home(&secret());
    assert_fails(&home.run("refresh-token", ["--format", "xoauth2"]), 78, &["mailbox address", "set username"]);
    configure(&home, &format!("username = 'team@example.com'\n{}", secret()));
    home.run("refresh-token", ["--format", "xoauth2"]).token();
}

#[test]
fn what_cannot_work_is_reported_before_a_request() {
    let home = home("");
    assert_fails(&home.refresh(), 78, &["no credential", "set client_secret or client_certificate"]);
    configure(&home, &format!("{}\nclient_certificate = 'app.pem'", secret()));
    assert_fails(&home.refresh(), 78, &["client_secret and client_certificate are both set"]);
    for tenant in ["common", "organizations", "consumers"] {
        let text = home.configuration().replace("/common/", &format!("/{tenant}/"));
        home.configure(&format!("grant = 'client_credentials'\n{}\n{text}", secret()));
        assert_fails(&home.refresh(), 78, &[&format!("not \"{tenant}\""), "set tenant to its ID or domain"]);
    }
    configure(&home, &secret());
    let scopes = "\n[profiles.mail]\nscopes = ['https://outlook.office.com/IMAP.AccessAsUser.All']\n";
    let text = std::fs::read_to_string(home.config_file()).unwrap();
    home.configure(&format!("{text}{scopes}"));
    assert_fails(&home.refresh(), 78, &["one scope that ends with /.default", "outlook.office365.com/.default"]);
    assert_eq!(home.standin.token_requests(), 0);
}

#[test]
fn a_wrong_secret_is_shown_in_the_status_until_it_works() {
    let home = home("client_secret = 'wrong'");
    assert_fails(&home.refresh(), 78, &["client secret", "AADSTS7000215"]);
    let status = home.run("get-token", ["--status", "-p", "mail"]);
    assert_eq!(status.code, Some(78), "{status:?}");
    assert!(status.stdout.contains("configuration change needed since"), "{status:?}");
    configure(&home, &secret());
    home.refresh().token();
    let status = home.run("get-token", ["--status", "-p", "mail"]);
    assert_eq!(status.code, Some(0), "{status:?}");
    assert!(status.stdout.contains("requests tokens for itself; nobody signs in"), "{status:?}");
}

#[test]
fn an_outage_is_75_and_a_retry_succeeds() {
    let home = home(&secret());
    home.standin.set_outage(Some(Outage::Refused));
    configure(&home, &format!("network_timeout = 1\n{}", secret()));
    assert_fails(&home.refresh(), 75, &["cannot be reached"]);
    home.standin.set_outage(None);
    home.standin.inject(Fault::Status { status: 503, retry_after: None });
    configure(&home, &secret());
    home.refresh().token();
}

#[test]
#[cfg(unix)]
fn a_program_prints_the_secret() {
    let home = home(&format!("client_secret = {{ command = ['echo', '{CLIENT_SECRET}'] }}"));
    home.refresh().token();
    configure(&home, "client_secret = { command = ['sh', '-c', 'echo locked >&2; exit 1'] }");
    assert_fails(&home.refresh(), 69, &["the program that prints the client secret, `sh`, failed", "locked"]);
    configure(&home, "client_secret = { command = ['true'] }");
    assert_fails(&home.refresh(), 78, &["did not print one line"]);
    configure(&home, "client_secret = { program = ['true'] }");
    assert_fails(&home.refresh(), 78, &["a key other than command", "client_secret.command = ["]);
}

/// For a person's profile too, which sends the secret with each refresh.
#[test]
#[cfg(unix)]
fn a_program_prints_the_secret_of_a_confidential_client() {
    let home = Home::new();
    home.put_token("mail", &home.standin.seed_refresh_token(CONFIDENTIAL_CLIENT_ID, standin::ADA));
    let text = home.configuration().replace(standin::PUBLIC_CLIENT_ID, CONFIDENTIAL_CLIENT_ID);
    home.configure(&format!("client_secret = {{ command = ['echo', '{CLIENT_SECRET}'] }}\n{text}"));
    home.refresh().token();
}

#[test]
fn a_certificate_signs_an_assertion_for_each_attempt() {
    let home = home_with_certificate(LONG, KEY);
    home.standin.inject(Fault::ResponseLost); // the stand-in refuses an assertion that it has seen
    let run = home.refresh();
    run.token();
    assert_eq!(run.stderr, "");
    let requests = home.standin.requests();
    let [first, second] = requests.as_slice() else { panic!("{requests:?}") };
    assert_ne!(first.parameters["client_assertion"], second.parameters["client_assertion"]);
    assert!(!first.parameters.contains_key("client_secret"));
}

/// Also for a person's profile.
#[test]
fn a_certificate_redeems_refresh_tokens() {
    let home = Home::new();
    let file = write_certificate(&home, LONG, KEY);
    home.put_token("mail", &home.standin.seed_refresh_token(CONFIDENTIAL_CLIENT_ID, standin::ADA));
    let text = home.configuration().replace(standin::PUBLIC_CLIENT_ID, CONFIDENTIAL_CLIENT_ID);
    home.configure(&format!("client_certificate = '{}'\n{text}", file.display()));
    home.refresh().token();
}

#[test]
fn the_certificate_and_the_key_may_be_two_files_and_the_key_pkcs_1() {
    let home = home_with_certificate(LONG, "");
    std::fs::write(home.path().join("key.pem"), pkcs_1()).unwrap();
    let folder = home.path().display();
    configure(&home, &format!("client_certificate = ['{folder}/app.pem', '{folder}/key.pem']"));
    home.refresh().token();
}

/// Returns the key without the frame of PKCS #8, which has 26 bytes for a key of this length.
fn pkcs_1() -> String {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    let encoded: String = KEY.lines().filter(|line| !line.starts_with('-')).collect();
    let inner = STANDARD.encode(&STANDARD.decode(encoded).unwrap()[26..]);
    format!("-----BEGIN RSA PRIVATE KEY-----\n{inner}\n-----END RSA PRIVATE KEY-----\n")
}

/// `openssl x509 -req` of OpenSSL 3.0 writes version 1, which rustls does not read.
#[test]
fn a_certificate_of_version_1_is_used() {
    let pem = include_str!("../support/version_1_certificate.pem");
    let home = home_with_certificate(LONG, KEY);
    let der = CertificateDer::from_pem_slice(pem.as_bytes()).unwrap();
    let key = KeyPair::from_pem(KEY).unwrap();
    home.standin.register_certificate(CONFIDENTIAL_CLIENT_ID, &der, key.der_bytes(), u64::MAX);
    std::fs::write(home.path().join("app.pem"), format!("{pem}{KEY}")).unwrap();
    home.refresh().token();
}

#[test]
fn keys_that_cannot_be_used_are_named() {
    let other = KeyPair::generate().unwrap().serialize_pem(); // an EC key
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    for (key, what) in [
        ("", "contains no private key in PEM format"),
        (encrypted, "contains an encrypted private key"),
        (&*other, "contains a private key that is not an RSA key"),
    ] {
        let home = home_with_certificate(LONG, key);
        assert_fails(&home.refresh(), 78, &[what, "app.pem"]);
    }
    let home = home_with_certificate(LONG, KEY);
    let other = KeyPair::generate().unwrap();
    let other = CertificateParams::new(vec![]).unwrap().self_signed(&other).unwrap().pem();
    std::fs::write(home.path().join("app.pem"), format!("{other}{KEY}")).unwrap();
    assert_fails(&home.refresh(), 78, &["is not the key of the certificate in"]);
    std::fs::write(home.path().join("app.pem"), KEY).unwrap();
    assert_fails(&home.refresh(), 78, &["contains no certificate in PEM format"]);
    std::fs::remove_file(home.path().join("app.pem")).unwrap();
    assert_fails(&home.refresh(), 78, &["cannot be read"]);
}

#[test]
#[cfg(unix)]
fn a_certificate_that_others_can_change_is_rejected() {
    let home = home_with_certificate(LONG, KEY);
    let file = home.path().join("app.pem");
    set_mode(&file, 0o622);
    assert_fails(&home.refresh(), 78, &["client_certificate is rejected", "`chmod go-w "]);
    set_mode(&file, 0o644);
    home.refresh().token();
    let check = home.run("get-token", ["--check"]);
    assert!(
        check.stdout.contains("✗ folders: other users can access") && check.stdout.contains("app.pem"),
        "{check:?}"
    );
}

#[test]
fn a_certificate_that_is_not_registered_is_explained() {
    let home = home_with_certificate(LONG, KEY);
    home.standin.register_certificate(CONFIDENTIAL_CLIENT_ID, b"another", b"another", u64::MAX);
    assert_fails(&home.refresh(), 78, &["AADSTS700027", "does not accept the certificate", "Certificates & secrets"]);
}

#[test]
#[cfg(unix)]
fn a_certificate_is_reported_thirty_days_before_it_expires() {
    let home = home_with_certificate(Some(Duration::from_secs(29 * DAY + DAY / 2)), KEY);
    let text = std::fs::read_to_string(home.config_file()).unwrap();
    let program = "on_sign_in_needed = ['sh', '-c', 'echo \"$M365AUTH_EXIT $M365AUTH_ACCOUNT $M365AUTH_REASON\" \
                   >>\"$HOME/alarm\"']";
    home.configure(&format!("username = 'shared@example.com'\n{program}\n{text}"));
    let first = home.refresh();
    first.token();
    assert!(
        first.stderr.contains("warning: the certificate of client ") && first.stderr.contains("expires in 29 days")
    );
    let second = home.refresh();
    second.token();
    assert_eq!(second.stderr, "", "the warning comes once a day");
    let alarm = home.path().join("alarm");
    let alarms = || std::fs::read_to_string(&alarm).unwrap_or_default();
    crate::support::eventually("the alarm", || alarms().ends_with('\n'));
    assert!(alarms().starts_with("0 shared@example.com the certificate of client "), "{}", alarms());
    let check = home.run("get-token", ["--check"]);
    assert!(check.stdout.contains("certificate: ") && check.stdout.contains("expires in 29 days"), "{check:?}");
    let status = home.run("get-token", ["--status", "-p", "mail"]);
    assert!(status.stdout.contains("client certificate expires 20"), "{status:?}");
}

#[test]
fn an_expired_certificate_is_78() {
    let home = home_with_certificate(None, KEY);
    assert_fails(&home.refresh(), 78, &["AADSTS700027", "if it has expired, create another one"]);
    for arguments in [&["--check"][..], &["--status", "-p", "mail"]] {
        let run = home.run("get-token", arguments);
        assert_eq!(run.code, Some(78), "{run:?}");
        assert!(run.stdout.contains("has expired"), "{run:?}");
    }
}

/// A home whose tokens have this lifetime and are due after one second, and that caches them.
#[cfg(target_os = "linux")]
fn home_with_lifetime(seconds: u64, lines: &str) -> crate::memory::HomeWithMemory {
    let setup = standin::Setup {
        access_token_lifetime: Some(Duration::from_secs(seconds)),
        refresh_in: Some(serde_json::json!(1)),
        ..standin::Setup::default()
    };
    let home = crate::memory::with_memory(Home::with(standin::Standin::start_with(setup)));
    configure(&home, lines);
    let text = std::fs::read_to_string(home.config_file()).unwrap();
    home.configure(&text.replace("cache = 'none'\n", ""));
    home
}

/// Returns a cached token once it is due.
#[cfg(target_os = "linux")]
fn due_token(home: &Home) -> String {
    let token = home.refresh().token().to_owned();
    let now = || SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
    let issued = now();
    crate::support::eventually("the token is due", || now() > issued);
    token
}

/// As for a person: a token that is due is handed out while Microsoft cannot be reached.
#[test]
#[cfg(target_os = "linux")]
fn an_outage_does_not_stop_an_application_while_its_token_is_valid() {
    let home = home_with_lifetime(3600, &secret());
    let token = due_token(&home);
    home.standin.set_outage(Some(Outage::Refused));
    let run = home.refresh();
    assert_eq!((run.token(), &*run.stderr), (&*token, ""));
}

/// The program may open a window that asks for a passphrase.
#[test]
#[cfg(target_os = "linux")]
fn the_program_with_the_secret_is_tried_once_for_each_token_that_is_due() {
    let script = format!("[ ! -e $HOME/locked ] || {{ echo >>$HOME/tries; exit 1; }}; echo {CLIENT_SECRET}");
    let home = home_with_lifetime(20, &format!("client_secret = {{ command = ['sh', '-c', '{script}'] }}")); // a pause of 1 s
    let token = due_token(&home);
    std::fs::write(home.path().join("locked"), "").unwrap();
    assert_eq!(home.refresh().token(), token);
    let later = std::time::Instant::now() + Duration::from_secs(2);
    crate::support::eventually("the usual pause is over", || std::time::Instant::now() > later);
    assert_eq!(home.refresh().token(), token);
    assert_eq!(std::fs::read_to_string(home.path().join("tries")).unwrap(), "\n");
}

#[test]
#[cfg(target_os = "linux")]
fn the_program_with_the_secret_does_not_run_while_a_token_is_cached() {
    let home = crate::memory::with_memory(Home::new());
    let program = format!("echo >>\"$HOME/runs\"; echo {CLIENT_SECRET}");
    configure(&home, &format!("client_secret = {{ command = ['sh', '-c', '{program}'] }}"));
    let text = std::fs::read_to_string(home.config_file()).unwrap();
    home.configure(&text.replace("cache = 'none'\n", ""));
    let tokens = [home.refresh().token().to_owned(), home.refresh().token().to_owned()];
    assert_eq!(tokens[0], tokens[1]);
    assert_eq!(std::fs::read_to_string(home.path().join("runs")).unwrap(), "\n");
}
