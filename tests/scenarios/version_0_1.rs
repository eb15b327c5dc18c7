//! The files of version 0.1, read by this version: users need not sign in again, and no other account's token is used.

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

/// Under version 0.1 Grace signed in while the keychain with Ada's token was not available. The newest token decides.
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

/// Version 0.1 ignores unknown fields, and drops them when it writes the file. The other fields are the same.
#[test]
fn the_records_of_this_version_have_the_fields_of_version_0_1() {
    let home = Home::new();
    home.configure_with("username = 'ada@example.com'");
    home.sign_in().token();
    let text = std::fs::read_to_string(home.cache().join("records_mail.toml")).unwrap();
    let records: toml::Table = text.parse().unwrap();
    let file = records["file"].as_table().unwrap();
    for key in ["token_digest", "authority", "client_id"] {
        assert!(file[key].is_str(), "{key}: {text}");
    }
    assert!(file["issued"].is_integer() && file["last_used"].is_integer(), "{text}");
    for key in ["tenant_id", "object_id", "name"] {
        assert!(file["account"][key].is_str(), "{key}: {text}");
    }
}
