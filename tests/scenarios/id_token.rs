//! The id_token: whose token it is, and whether it belongs to this sign-in.

use std::time::Duration;

use serde_json::{Value, json};
use standin::{ADA, Account, Browser, Fault, GRACE, PUBLIC_CLIENT_ID, Setup, Standin, TENANT_ID, Tenant};

use crate::sign_in_elsewhere::{short_interval, with_device_code};
use crate::support::{Home, Run};

/// The tenant of all personal accounts.
const PERSONAL: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

fn claims(claims: Value) -> Fault {
    let Value::Object(claims) = claims else { panic!("claims are an object") };
    Fault::Claims(claims)
}

/// Faults of an id_token, each with a part of the error message.
fn faults(home: &Home) -> Vec<(Fault, String)> {
    let origin = home.standin.origin();
    vec![
        (Fault::WrongNonce, "nonce".to_owned()),
        (Fault::NoNonce, "nonce".to_owned()),
        (Fault::NoIdToken, "id_token".to_owned()),
        (Fault::BrokenIdToken, "JSON Web Token".to_owned()),
        (claims(json!({ "oid": null })), "does not name an account".to_owned()),
        (Fault::WrongAudience, PUBLIC_CLIENT_ID.to_owned()),
        (claims(json!({ "aud": ["another"] })), PUBLIC_CLIENT_ID.to_owned()),
        (
            claims(json!({ "iss": format!("https://login.example.net/{TENANT_ID}/v2.0") })),
            "login.example.net".to_owned(),
        ),
        (claims(json!({ "iss": format!("{origin}/{PERSONAL}/v2.0") })), "issuer".to_owned()),
        (claims(json!({ "iss": null })), "issuer".to_owned()),
        (claims(json!({ "exp": 0 })), "expired".to_owned()),
        (claims(json!({ "exp": null })), "expired".to_owned()),
    ]
}

#[track_caller]
fn assert_invalid(home: &Home, run: &Run, text: &str) {
    let stderr = run.fails_with(76);
    assert!(stderr.contains("the id_token in the response is not valid: ") && stderr.contains(text), "{stderr}");
    assert_eq!(home.token_in_file("mail"), None);
}

#[test]
fn a_sign_in_with_an_id_token_that_is_not_valid_exits_with_76() {
    let home = Home::new();
    for (fault, text) in faults(&home) {
        home.standin.inject(fault);
        assert_invalid(&home, &home.sign_in(), &text);
    }
}

#[test]
fn a_tenant_id_in_the_configuration_must_be_that_of_the_id_token() {
    let home = Home::new();
    home.configure(&home.configuration().replace("/common/", &format!("/{}/", TENANT_ID.to_uppercase())));
    home.sign_in().token();
    home.run("get-token", ["--sign-out"]);
    let issuer = format!("{}/{PERSONAL}/v2.0", home.standin.origin());
    home.standin.inject(claims(json!({ "tid": PERSONAL, "iss": issuer })));
    assert_invalid(&home, &home.sign_in(), &format!("it was issued for tenant {PERSONAL}, not"));
}

#[test]
fn a_device_code_sign_in_validates_the_id_token_too() {
    let home = Home::with(Standin::start_with(short_interval()));
    for fault in [Fault::NoIdToken, claims(json!({ "iss": "https://login.example.net/" }))] {
        let run = with_device_code(&home, &[], |origin, code| {
            home.standin.inject_times(fault, 20); // a poll before the user signs in consumes one, too
            Browser::enter_device_code(origin, code, ADA, true).unwrap();
        });
        home.standin.clear_faults();
        assert_invalid(&home, &run, "id_token");
    }
}

#[test]
fn an_audience_may_be_a_list() {
    let home = Home::new();
    home.standin.inject(claims(json!({ "aud": ["another", PUBLIC_CLIENT_ID] })));
    home.sign_in().token();
}

/// The expiry is compared with the server's clock.
#[test]
fn a_clock_that_is_two_hours_ahead_does_not_prevent_a_sign_in() {
    let two_hours = Duration::from_secs(2 * 60 * 60);
    let home = Home::with(Standin::start_with(Setup { clock_behind: two_hours, ..Setup::default() }));
    home.sign_in().token();
    home.refresh().token();
}

#[test]
fn a_personal_account_signs_in_and_refreshes() {
    let mut setup = Setup::default();
    setup.tenants.push(Tenant { id: PERSONAL.to_owned(), domain: "live.com".to_owned() });
    setup.accounts.push(Account {
        address: "ada@outlook.com".to_owned(),
        name: "Ada".to_owned(),
        object_id: "00000000-0000-0000-0a1b-2c3d4e5f6a7b".to_owned(),
        tenant: PERSONAL.to_owned(),
    });
    let home = Home::with(Standin::start_with(setup));
    for tenant in ["common", PERSONAL] {
        home.configure(&home.configuration().replace("/common/", &format!("/{tenant}/")));
        let sign_in = home.begin_sign_in(&[]);
        sign_in.approve("ada@outlook.com");
        sign_in.finish().token();
        home.refresh().token();
    }
}

#[test]
fn a_refresh_works_despite_an_id_token_that_is_not_valid_if_the_account_is_recorded() {
    let home = Home::new();
    home.sign_in().token();
    home.standin.set_single_use_refresh_tokens(true);
    let others = [Fault::ExpiresInString];
    for fault in faults(&home).into_iter().map(|(fault, _)| fault).chain(others) {
        home.standin.inject(fault.clone());
        let run = home.refresh();
        assert!(home.standin.is_valid_access_token(run.token()), "{fault:?}");
    }
    home.refresh().token();
}

#[test]
fn without_a_recorded_account_an_id_token_that_is_not_valid_is_77() {
    for account in [None, Some(ADA)] {
        let home = Home::new();
        if account.is_some() {
            // The profile's account is known, but the account of the token that is stored below is not.
            home.sign_in().token();
        }
        let token = home.store_token("mail");
        for fault in [Fault::NoIdToken, claims(json!({ "exp": 0 })), claims(json!({ "iss": null }))] {
            home.standin.inject(fault);
            let run = home.refresh();
            assert!(run.fails_with(77).contains("Microsoft did not say which account"), "{run:?}");
        }
        assert_eq!(home.token_in_file("mail"), Some(token));
        home.refresh().token();
    }
}

#[test]
fn another_account_in_the_response_is_77_whatever_else_is_wrong_with_its_id_token() {
    let home = Home::new();
    home.sign_in().token();
    let token = home.token_in_file("mail");
    let grace = "0a1b2c3d-0000-4000-8000-0000000c4ace";
    for other in [
        json!({ "oid": grace, "preferred_username": GRACE }),
        json!({ "oid": grace, "preferred_username": GRACE, "exp": 0 }),
        json!({ "oid": grace, "preferred_username": GRACE, "iss": "https://login.example.net/", "aud": "another" }),
        json!({ "tid": PERSONAL, "preferred_username": GRACE }),
    ] {
        home.standin.inject(claims(other));
        let run = home.refresh();
        let stderr = run.fails_with(77);
        assert!(stderr.contains(ADA) && stderr.contains(GRACE), "{stderr}");
        assert_eq!(home.token_in_file("mail"), token, "nothing is stored");
    }
    home.refresh().token();
}

/// The account of a sign-in is verified. The id_token for a second profile need not be valid, but it must not name
/// another account.
#[test]
fn a_second_profile_of_a_sign_in_is_not_stored_for_another_account() {
    let home = Home::new();
    for (oid, stored) in
        [("0a1b2c3d-0000-4000-8000-0000000c4ace", false), ("0a1b2c3d-0000-4000-8000-00000000ada1", true)]
    {
        let sign_in = home.begin_sign_in(&["-p", "mail", "-p", "calendar"]);
        home.standin.inject(Fault::Delay { milliseconds: 1 }); // the code exchange
        home.standin.inject(claims(json!({ "oid": oid, "exp": 0 })));
        sign_in.approve(ADA);
        let run = sign_in.finish();
        run.token();
        assert_eq!(home.token_in_file("calendar").is_some(), stored, "{run:?}");
        let both =
            format!("you signed in as {ADA} (tenant {TENANT_ID}, object ID 0a1b2c3d-0000-4000-8000-00000000ada1), but");
        assert_eq!(
            run.stderr.contains(&format!("{both} Microsoft returned a token of {ADA} (tenant ")),
            !stored,
            "{run:?}"
        );
        assert_eq!(run.stderr.contains("hint: run `get-token --profile calendar`\n"), !stored, "{run:?}");
    }
}
