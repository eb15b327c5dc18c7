//! Granted requests and their responses.

mod support;

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use standin::{ADA, Browser, GRACE, PUBLIC_CLIENT_ID, SINGLE_TENANT_CLIENT_ID, Setup, Standin, TENANT_ID};
use support::*;

fn text<'value>(value: &'value Value, key: &str) -> &'value str {
    value[key].as_str().unwrap_or_else(|| panic!("no {key} in {value}"))
}

fn claims(id_token: &str) -> Value {
    let payload = id_token.split('.').nth(1).expect("three parts");
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).expect("base64url")).expect("JSON")
}

#[test]
fn a_sign_in_returns_tokens_in_microsofts_format() {
    let standin = Standin::start();
    let redirect = Browser::redirect_url(&authorize_url(&standin, "common", &[]), ADA).expect("a redirect");
    assert_eq!(parameter(&redirect, "state").as_deref(), Some("a state+with/odd=characters&"));
    assert!(parameter(&redirect, "session_state").is_some());
    let code = parameter(&redirect, "code").expect("a code");
    assert!((1_000..=1_600).contains(&code.len()));

    let response = token(&standin, &code_parameters(&code)).json();
    assert_eq!(text(&response, "token_type"), "Bearer");
    assert_eq!(text(&response, "scope"), MAIL);
    assert!((3_600..=5_400).contains(&response["expires_in"].as_u64().expect("a number")));
    let access_token = text(&response, "access_token");
    assert!((1_500..=2_500).contains(&access_token.len()));
    assert_eq!(access_token.split('.').count(), 3);
    assert!(standin.is_valid_access_token(access_token));
    assert!((1_000..=1_900).contains(&text(&response, "refresh_token").len()));
    let claims = claims(text(&response, "id_token"));
    assert_eq!(text(&claims, "aud"), PUBLIC_CLIENT_ID);
    assert_eq!(text(&claims, "iss"), format!("{}/{TENANT_ID}/v2.0", standin.origin()));
    assert_eq!((text(&claims, "nonce"), text(&claims, "preferred_username")), ("a-nonce", ADA));

    let secrets = standin.issued_secrets();
    for secret in [&code, access_token, text(&response, "refresh_token"), VERIFIER] {
        assert!(secrets.iter().any(|known| known == secret));
    }
    let requests: Vec<_> =
        standin.requests().into_iter().map(|entry| (entry.method, entry.path, entry.status)).collect();
    let expected = [
        ("GET", "/common/oauth2/v2.0/authorize", 200),
        ("POST", "/common/login", 302),
        ("POST", "/common/oauth2/v2.0/token", 200),
    ];
    assert_eq!(requests, expected.map(|(method, path, status)| (method.to_owned(), path.to_owned(), status)));
    assert_eq!(standin.token_requests(), 1);
}

#[test]
fn refresh_and_id_tokens_need_their_scopes() {
    let standin = Standin::start();
    let seeded = standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA);
    let bare = token(&standin, &change(refresh_parameters(&seeded), &[("scope", MAIL)])).json();
    assert_eq!((bare.get("refresh_token"), bare.get("id_token")), (None, None));

    // OfflineIMAP sends no scope; the scopes of the sign-in count.
    let without = token(&standin, &change(refresh_parameters(&seeded), &[("scope", "-")])).json();
    assert!(text(&without, "scope").contains(MAIL), "{without}");
    assert!(without.get("refresh_token").is_some());

    // offline_access at /token has no effect if the sign-in lacked it.
    let code = code(&standin, &[("scope", MAIL)]);
    let response = token(&standin, &code_parameters(&code)).json();
    assert_eq!(response.get("refresh_token"), None);
}

#[test]
fn one_sign_in_serves_every_resource_with_consent() {
    let standin = Standin::start();
    let response = token(&standin, &code_parameters(&code(&standin, &[]))).json();
    let scope = format!("{OPENID} {CALENDAR}");
    let pairs = change(refresh_parameters(text(&response, "refresh_token")), &[("scope", scope.as_str())]);
    let calendar = token(&standin, &pairs).json();
    assert_eq!(text(&calendar, "scope"), format!("profile openid {CALENDAR}"));

    let graph = |path: &str, token: &str| {
        send(client(&standin).get(format!("{}{path}", standin.origin())).bearer_auth(token)).expect("a response")
    };
    let calendar_token = text(&calendar, "access_token");
    assert_eq!(graph("/v1.0/me/calendar", calendar_token).json()["owner"]["address"], ADA);
    assert_eq!(graph("/v1.0/me", calendar_token).status, 403);
    let wrong_audience = graph("/v1.0/me/calendar", text(&response, "access_token"));
    assert_eq!(wrong_audience.status, 401);
    assert_eq!(wrong_audience.json()["error"]["code"], "InvalidAuthenticationToken");
}

#[test]
fn tokeninfo_returns_the_owner_and_the_scope() {
    let standin = Standin::start();
    let tokeninfo = |token: &str| {
        send(client(&standin).get(format!("{}/tokeninfo?access_token={token}", standin.origin()))).expect("a response")
    };
    let seeded = standin.seed_refresh_token(PUBLIC_CLIENT_ID, GRACE);
    let response = token(&standin, &refresh_parameters(&seeded)).json();
    let info = tokeninfo(text(&response, "access_token")).json();
    assert_eq!(info, json!({ "active": true, "email": GRACE, "scope": MAIL }));
    let unknown = tokeninfo("none");
    assert_eq!((unknown.status, unknown.json()), (401, json!({ "active": false })));

    let short = Standin::start_with(Setup { access_token_lifetime: Some(Duration::ZERO), ..Setup::default() });
    let seeded = short.seed_refresh_token(PUBLIC_CLIENT_ID, ADA);
    let expired = token(&short, &refresh_parameters(&seeded)).json();
    assert!(!short.is_valid_access_token(text(&expired, "access_token")));
}

#[test]
fn a_rotated_refresh_token_stays_valid_unless_single_use() {
    let standin = Standin::start();
    let seeded = standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA);
    for _ in 0..2 {
        assert_eq!(token(&standin, &refresh_parameters(&seeded)).status, 200);
    }
    standin.set_single_use_refresh_tokens(true);
    let rotated = token(&standin, &refresh_parameters(&seeded)).json();
    assert_refused(&token(&standin, &refresh_parameters(&seeded)), 400, "invalid_grant", 70000);
    assert_eq!(token(&standin, &refresh_parameters(text(&rotated, "refresh_token"))).status, 200);
}

#[test]
fn any_port_of_localhost_and_the_apps_own_tenant_are_accepted() {
    let standin = Standin::start();
    for (tenant, client_id, redirect_uri) in [
        ("common", PUBLIC_CLIENT_ID, "https://localhost:4711"),
        ("organizations", PUBLIC_CLIENT_ID, "http://localhost:8080/"),
        ("example.com", SINGLE_TENANT_CLIENT_ID, "https://localhost"),
        (TENANT_ID, SINGLE_TENANT_CLIENT_ID, "https://localhost:443/"),
    ] {
        let changes = [("client_id", client_id), ("redirect_uri", redirect_uri)];
        let redirect = Browser::redirect_url(&authorize_url(&standin, tenant, &changes), ADA).expect("a redirect");
        let code = parameter(&redirect, "code").expect("a code");
        let response = token_at(&standin, tenant, &change(code_parameters(&code), &changes));
        assert_eq!(response.status, 200, "{}", response.body);
    }
}

#[test]
fn the_account_of_the_login_hint_comes_first() {
    let standin = Standin::start();
    let page = Browser::get(&authorize_url(&standin, "common", &[("login_hint", GRACE)])).expect("a page");
    let position = |id: &str| page.body.find(&format!("id=\"{id}\"")).expect("a button");
    assert!(position("approve-grace") < position("approve-ada"));
    assert!(position("approve-ada") < position("cancel"));
}

#[test]
fn an_unknown_account_cannot_sign_in() {
    let standin = Standin::start();
    let url = authorize_url(&standin, "common", &[]);
    let error = Browser::redirect_url(&url, "nobody@example.com").expect_err("an unknown account");
    assert!(error.to_string().contains("no button for nobody@example.com"), "{error}");
    assert!(Browser::redirect_url(&authorize_url(&standin, "consumers", &[]), ADA).is_err());
}

#[test]
fn polling_a_device_code_returns_the_users_decision() {
    let standin = Standin::start_with(Setup { device_code_interval: Duration::ZERO, ..Setup::default() });
    let url = format!("{}oauth2/v2.0/devicecode", standin.authority());
    let start = |permissions: &str| {
        let scope = format!("{OPENID} {permissions}");
        let pairs = vec![("client_id", PUBLIC_CLIENT_ID.to_owned()), ("scope", scope)];
        post_to(&standin, &url, &pairs).expect("a response").json()
    };
    let poll = |code: &str| {
        let pairs = vec![
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code".to_owned()),
            ("client_id", PUBLIC_CLIENT_ID.to_owned()),
            ("device_code", code.to_owned()),
        ];
        token(&standin, &pairs)
    };
    let device = start(MAIL);
    assert_eq!(text(&device, "verification_uri"), format!("{}/devicelogin", standin.origin()));
    let code = text(&device, "device_code");
    assert_refused(&poll(code), 400, "authorization_pending", 70016);
    Browser::enter_device_code(&standin.origin(), text(&device, "user_code"), ADA, true).expect("it is approved");
    let response = poll(code).json();
    assert_eq!(text(&response, "scope"), MAIL);
    assert!(response.get("refresh_token").is_some());
    assert_refused(&poll(code), 400, "invalid_grant", 54005);
    assert_refused(&poll("unknown"), 400, "bad_verification_code", 70018);

    let device = start(&format!("{MAIL} {CALENDAR}"));
    Browser::enter_device_code(&standin.origin(), text(&device, "user_code"), ADA, true).expect("it is approved");
    assert_refused(&poll(text(&device, "device_code")), 400, "invalid_request", 28000);

    let device = start(MAIL);
    Browser::enter_device_code(&standin.origin(), text(&device, "user_code"), ADA, false).expect("it is declined");
    assert_refused(&poll(text(&device, "device_code")), 400, "authorization_declined", 65004);
    assert!(Browser::enter_device_code(&standin.origin(), "WRONGCODE", ADA, true).is_err());
}

#[test]
fn polling_a_device_code_too_fast_or_too_long_is_refused() {
    let default = Standin::start();
    let short = Standin::start_with(Setup { device_code_lifetime: Duration::ZERO, ..Setup::default() });
    let poll = |standin: &Standin| {
        let url = format!("{}oauth2/v2.0/devicecode", standin.authority());
        let pairs = vec![("client_id", PUBLIC_CLIENT_ID.to_owned()), ("scope", MAIL.to_owned())];
        let device = post_to(standin, &url, &pairs).expect("a response").json();
        let pairs = vec![
            ("grant_type", "urn:ietf:params:oauth:grant-type:device_code".to_owned()),
            ("client_id", PUBLIC_CLIENT_ID.to_owned()),
            ("device_code", text(&device, "device_code").to_owned()),
        ];
        (token(standin, &pairs), token(standin, &pairs))
    };
    let (first, second) = poll(&default);
    assert_refused(&first, 400, "authorization_pending", 70016);
    assert_eq!((second.status, text(&second.json(), "error")), (400, "slow_down"));
    assert_refused(&poll(&short).0, 400, "expired_token", 70020);
}

#[test]
fn discovery_names_the_endpoints() {
    let standin = Standin::start();
    let get = |path: &str| send(client(&standin).get(format!("{}{path}", standin.origin()))).expect("a response");
    let common = get("/common/v2.0/.well-known/openid-configuration").json();
    assert_eq!(text(&common, "issuer"), format!("{}/{{tenantid}}/v2.0", standin.origin()));
    assert_eq!(text(&common, "token_endpoint"), format!("{}oauth2/v2.0/token", standin.authority()));
    assert_eq!(get("/common//v2.0/.well-known/openid-configuration").json(), common);
    let own = get("/example.com/v2.0/.well-known/openid-configuration").json();
    assert_eq!(text(&own, "issuer"), format!("{}/{TENANT_ID}/v2.0", standin.origin()));
    assert_refused(&get("/nowhere/v2.0/.well-known/openid-configuration"), 400, "invalid_request", 90002);
    assert!(get("/common/discovery/instance").json()["metadata"].is_array());
    let url = format!("{}v2.0/.well-known/openid-configuration", standin.authority());
    let relayed = send(client(&standin).get(url).header("host", "localhost:7")).expect("a response").json();
    assert_eq!(text(&relayed, "token_endpoint"), "https://localhost:7/common/oauth2/v2.0/token");
    assert_eq!(relayed["issuer"], common["issuer"]);
}
