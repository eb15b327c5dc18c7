//! The files and the kernel memory of version 0.1 under this version, and those of this version under 0.1: users need not
//! sign in again, and no other account's token is used.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use standin::{ADA, GRACE, PUBLIC_CLIENT_ID, Setup};

use crate::support::Home;

/// Returns a section of the records file exactly as version 0.1 wrote it.
fn section(home: &Home, name: &str, token: &str, account: &str, issued: u64) -> String {
    let digest: String = Sha256::digest(token).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let standin::Account { tenant, object_id, .. } =
        Setup::default().accounts.into_iter().find(|known| known.address == account).unwrap();
    format!(
        "[{name}]\ntoken_digest = \"{digest}\"\nauthority = \"{}\"\nclient_id = \"{PUBLIC_CLIENT_ID}\"\n\
         issued = {issued}\nlast_used = {issued}\n\n[{name}.account]\ntenant_id = \"{tenant}\"\n\
         object_id = \"{object_id}\"\nname = \"{account}\"\n\n",
        home.standin.authority(),
    )
}

fn write_records(home: &Home, text: &str) {
    std::fs::create_dir_all(home.cache()).unwrap();
    std::fs::write(home.cache().join("records_mail.toml"), text).unwrap();
}

#[test]
fn a_stored_token_still_works_and_its_account_is_known() {
    let home = Home::new();
    let token = home.store_token("mail");
    write_records(&home, &section(&home, "file", &token, ADA, 1_700_000_000));
    let status = home.run("get-token", ["--status", "-p", "mail"]);
    assert!(status.stdout.contains(ADA), "{status:?}");
    home.refresh().token();
    home.put_token("mail", &home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, GRACE));
    assert!(home.refresh().fails_with(77).contains(ADA));
}

/// Version 0.1 was killed between the save and its record.
#[test]
fn an_interrupted_save_is_completed() {
    let home = Home::new();
    let token = home.store_token("mail");
    let records = section(&home, "file", "the-token-before", ADA, 1_700_000_000)
        + &section(&home, "coming", &token, ADA, 1_700_000_100);
    write_records(&home, &records);
    home.run("get-refresh-token", [""; 0]).token();
    let records = std::fs::read_to_string(home.cache().join("records_mail.toml")).unwrap();
    assert!(!records.contains("coming"), "{records}");
    home.configure(&home.configuration().replace(&home.standin.authority(), "https://login.invalid/common/"));
    assert!(home.refresh().fails_with(78).contains("was issued for the authority"));
    home.configure(&home.configuration());
    home.refresh().token();
}

/// Under version 0.1, Ada's token was in the file, and that of Grace, who signed in later, in the keychain. The newest
/// token decides.
#[test]
fn the_account_of_the_newest_token_owns_the_profile() {
    let home = Home::new();
    let token = home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA);
    home.put_token("mail", &token);
    let records = section(&home, "file", &token, ADA, 1_700_000_000)
        + &section(&home, "keychain", "graces-token", GRACE, 1_700_000_100);
    write_records(&home, &records);
    let requests = home.standin.token_requests();
    home.refresh().fails_with(77);
    assert_eq!(home.standin.token_requests(), requests, "Ada's token is not sent");
}

/// The records file as version 0.1 read and wrote it. Fields that it did not know were lost.
#[derive(Deserialize, Serialize)]
struct Sections {
    file: Option<Section>,
    keychain: Option<Section>,
    commands: Option<Section>,
    coming: Option<Section>,
}

#[derive(Deserialize, Serialize)]
struct Section {
    token_digest: String,
    authority: String,
    client_id: String,
    issued: u64,
    last_used: u64,
    account: Option<Account>,
}

#[derive(Deserialize, Serialize)]
struct Account {
    tenant_id: String,
    object_id: String,
    name: String,
}

/// This happens if a Python module of version 0.1 (`python/`) uses the same records as these commands.
#[test]
fn records_that_version_0_1_has_rewritten_keep_the_sign_in_and_its_account() {
    let home = Home::new();
    home.configure_with("username = 'ada@example.com'");
    home.sign_in().token();
    home.standin.inject(standin::Fault::aadsts(50_173));
    home.refresh().fails_with(77); // records a refusal, too
    let file = home.cache().join("records_mail.toml");
    let records: Sections = toml::from_str(&std::fs::read_to_string(&file).unwrap()).unwrap();
    let recorded = records.file.as_ref().unwrap();
    assert_eq!(recorded.account.as_ref().unwrap().name, ADA);
    assert_eq!(recorded.authority, home.standin.authority(), "0.1 compares the whole authority");
    std::fs::write(&file, toml::to_string(&records).unwrap()).unwrap();
    home.refresh().token();
    std::fs::write(&file, toml::to_string(&records).unwrap()).unwrap();
    home.put_token("mail", &home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, GRACE));
    assert!(home.refresh().fails_with(77).contains(ADA));
}

/// Version 0.1 ignores what it cannot parse as JSON, and this version ignores what is not an entry of its own. But
/// version 0.1 would print its own entry after a sign-out, so this version removes it.
#[test]
#[cfg(target_os = "linux")]
fn a_cached_token_of_version_0_1_is_not_used_and_is_removed() {
    use linux_keyutils::{KeyRing, KeyRingIdentifier};
    let entry =
        r#"{"key_digest":"2b4a","cached_at":1700000000,"access":{"token":"of-version-0.1","expires":9999999999}}"#;
    let home = crate::memory::with_memory(Home::new());
    for folder in [".cache", "B\u{fc}ro"] {
        let cache = home.path().join(folder);
        let run = |name: &str, arguments: &[&str]| {
            crate::support::finish(home.command(name).args(arguments).env("XDG_CACHE_HOME", &cache))
        };
        let name = format!("m365auth:mail:{}/m365auth", cache.display());
        let user = KeyRing::from_special_id(KeyRingIdentifier::User, true).unwrap();
        let add = || {
            let process = KeyRing::from_special_id(KeyRingIdentifier::Process, true).unwrap();
            let key = process.add_key(&name, entry).unwrap();
            user.link_key(key).unwrap();
            process.unlink_key(key).unwrap();
        };
        let read = || user.search(&name).and_then(|key| key.read_to_vec()).ok();
        home.put_token("mail", &home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA));
        let file = cache.join("m365auth/refresh_token_mail");
        if file != home.token_file("mail") {
            std::fs::create_dir_all(cache.join("m365auth")).unwrap();
            std::fs::copy(home.token_file("mail"), file).unwrap();
        }
        add();
        let token = run("refresh-token", &[]).token().to_owned();
        assert!(home.standin.is_valid_access_token(&token), "{token}");
        let ours = read().expect("this version has replaced the entry");
        assert!(serde_json::from_slice::<serde_json::Value>(&ours).is_err(), "version 0.1 ignores it");
        assert_eq!(run("refresh-token", &[]).token(), token);
        add();
        assert_eq!(run("get-token", &["--sign-out"]).code, Some(0));
        assert_eq!(read(), None, "{folder}");
    }
}
