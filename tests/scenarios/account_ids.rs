//! Tenant ID and object ID identify an account. Its name may change, and is for display only.

use standin::{ADA, Account, Fault, GRACE, PUBLIC_CLIENT_ID, Setup, Standin, Tenant};

use crate::support::Home;

#[test]
fn a_renamed_account_is_the_same_account() {
    let home = Home::new();
    home.sign_in().token();
    let renamed = || Fault::UserName("ada.lovelace@example.com".to_owned());
    home.standin.inject(renamed());
    home.refresh().token();
    home.standin.inject(renamed());
    home.sign_in().token();
}

#[test]
fn another_object_id_with_the_same_name_is_another_account() {
    let home = Home::new();
    home.sign_in().token();
    home.standin.inject(Fault::UserName(ADA.to_owned()));
    let sign_in = home.begin_sign_in(&[]);
    sign_in.approve(GRACE);
    let run = sign_in.finish();
    assert!(run.fails_with(77).contains("object ID"), "the message tells the two apart: {run:?}");

    home.put_token("mail", &home.standin.seed_refresh_token(PUBLIC_CLIENT_ID, GRACE));
    home.standin.inject(Fault::UserName(ADA.to_owned()));
    home.refresh().fails_with(77);
}

#[test]
fn the_same_object_id_in_another_tenant_is_another_account() {
    let mut setup = Setup::default();
    let ada = setup.accounts.iter().find(|account| account.address == ADA).unwrap().clone();
    let tenant = Tenant { id: "7d2c5b18-6e0f-4a93-b1d4-2f8a9c3e5071".to_owned(), domain: "example.org".to_owned() };
    let guest = Account { address: "ada@example.org".to_owned(), tenant: tenant.id.clone(), ..ada };
    setup.tenants.push(tenant);
    setup.accounts.push(guest.clone());
    let home = Home::with(Standin::start_with(setup));
    home.sign_in().token();
    let sign_in = home.begin_sign_in(&[]);
    sign_in.approve(&guest.address);
    let run = sign_in.finish();
    assert!(run.fails_with(77).contains(&guest.tenant), "{run:?}");
}
