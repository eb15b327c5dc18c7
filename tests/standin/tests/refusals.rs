//! Refused requests and their AADSTS codes.

mod support;

use std::time::Duration;

use standin::{
    ADA, Browser, CLIENT_SECRET, CONFIDENTIAL_CLIENT_ID, PUBLIC_CLIENT_ID, SINGLE_TENANT_CLIENT_ID, Setup, Standin,
    TENANT_ID,
};
use support::*;

/// The parameters that a case changes in a valid request.
type Changes<'case> = &'case [(&'static str, &'case str)];

#[test]
fn authorize_shows_an_error_page_and_never_redirects() {
    let standin = Standin::start();
    let unknown = "00000000-0000-4000-8000-000000000000";
    let cases: &[(&str, Changes<'_>, u32)] = &[
        ("common", &[("client_id", "-")], 900144),
        ("common", &[("client_id", unknown)], 700016),
        ("elsewhere.example", &[], 90002),
        ("common", &[("client_id", SINGLE_TENANT_CLIENT_ID)], 50194),
        ("organizations", &[("client_id", SINGLE_TENANT_CLIENT_ID)], 50194),
        ("common", &[("redirect_uri", "-")], 900144),
        ("common", &[("redirect_uri", "https://localhost:7598/callback")], 50011),
        ("common", &[("redirect_uri", "https://127.0.0.1:7598/")], 50011),
        ("common", &[("redirect_uri", "https://localhost.example.com/")], 50011),
        ("common", &[("redirect_uri", "not a URL")], 50011),
        ("common", &[("client_id", CONFIDENTIAL_CLIENT_ID), ("redirect_uri", "http://localhost/")], 50011),
        ("common", &[("response_type", "-")], 900144),
        ("common", &[("response_type", "token")], 700054),
        ("common", &[("response_mode", "fragment")], 90023),
        ("common", &[("prompt", "maybe")], 90023),
        ("common", &[("scope", "-")], 900144),
        ("common", &[("scope", "openid,profile")], 650053),
        ("common", &[("scope", "openid \"profile\"")], 70011),
        ("common", &[("scope", "outlook.office.com/SMTP.Send")], 70011),
        ("common", &[("scope", "https://outlook.office.com/SMTP.Receive")], 650053),
        ("common", &[("scope", "https://mail.example.com/SMTP.Send")], 500011),
        ("common", &[("code_challenge", "-")], 9002325),
        ("common", &[("code_challenge", "short")], 501491),
        ("common", &[("code_challenge_method", "plain")], 50149),
        ("common", &[("code_challenge_method", "-")], 50149),
    ];
    for (tenant, changes, aadsts) in cases {
        let page = Browser::get(&authorize_url(&standin, tenant, changes)).expect("a page");
        assert_eq!(page.status, 400, "{changes:?}");
        assert!(page.body.contains(&format!("AADSTS{aadsts}: ")), "{tenant} {changes:?}: {}", page.body);
    }
    let duplicated = format!("{}&state=another", authorize_url(&standin, "common", &[]));
    let page = Browser::get(&duplicated).expect("a page");
    assert!(page.body.contains("AADSTS9000411: "), "{}", page.body);
}

#[test]
fn the_error_page_escapes_html() {
    let standin = Standin::start();
    let url = authorize_url(&standin, "common", &[("redirect_uri", "https://x/<script>'\"")]);
    let page = Browser::get(&url).expect("a page");
    assert!(!page.body.contains("<script>"), "{}", page.body);
}

#[test]
fn a_wrong_code_request_is_refused() {
    let standin = Standin::start();
    let mixed = format!("{MAIL} {CALENDAR}");
    let cases: &[(&str, Changes<'_>, u16, &str, u32)] = &[
        ("common", &[("grant_type", "-")], 400, "invalid_request", 900144),
        ("common", &[("grant_type", "password")], 400, "unsupported_grant_type", 70003),
        ("common", &[("client_id", "-")], 400, "invalid_request", 900144),
        ("common", &[("client_id", "nobody")], 400, "unauthorized_client", 700016),
        ("elsewhere.example", &[], 400, "invalid_request", 90002),
        ("common", &[("client_id", SINGLE_TENANT_CLIENT_ID)], 400, "invalid_request", 50194),
        ("consumers", &[], 400, "invalid_grant", 700005),
        ("common", &[("client_secret", "secret")], 401, "invalid_client", 700025),
        ("common", &[("client_secret", "")], 401, "invalid_client", 700025),
        ("common", &[("code", "-")], 400, "invalid_request", 900144),
        ("common", &[("code", "")], 400, "invalid_request", 900144),
        ("common", &[("code", "garbage")], 400, "invalid_grant", 9002313),
        (
            "common",
            &[("client_id", CONFIDENTIAL_CLIENT_ID), ("client_secret", CLIENT_SECRET)],
            400,
            "invalid_grant",
            70000,
        ),
        ("common", &[("redirect_uri", "-")], 400, "invalid_request", 900144),
        ("common", &[("redirect_uri", "https://localhost:7598")], 401, "invalid_client", 500112),
        ("common", &[("redirect_uri", "https://localhost:7599/")], 401, "invalid_client", 500112),
        ("common", &[("code_verifier", "-")], 400, "invalid_grant", 50148),
        ("common", &[("code_verifier", CHALLENGE)], 400, "invalid_grant", 501481),
        ("common", &[("code_verifier", "short")], 400, "invalid_grant", 501481),
        ("common", &[("scope", mixed.as_str())], 400, "invalid_request", 28000),
        ("common", &[("scope", OPENID)], 400, "invalid_request", 28002),
        ("common", &[("scope", "")], 400, "invalid_request", 28003),
        ("common", &[("scope", "https://graph.microsoft.com/Mail.Send")], 400, "invalid_grant", 65001),
    ];
    for (tenant, changes, status, error, aadsts) in cases {
        let code = code(&standin, &[]);
        let response = token_at(&standin, tenant, &change(code_parameters(&code), changes));
        assert_refused(&response, *status, error, *aadsts);
    }
}

#[test]
fn a_used_or_expired_code_is_refused() {
    let standin = Standin::start();
    let used = code(&standin, &[]);
    assert_eq!(token(&standin, &code_parameters(&used)).status, 200);
    assert_refused(&token(&standin, &code_parameters(&used)), 400, "invalid_grant", 54005);

    let short = Standin::start_with(Setup { code_lifetime: Duration::ZERO, ..Setup::default() });
    let expired = code(&short, &[]);
    assert_refused(&token(&short, &code_parameters(&expired)), 400, "invalid_grant", 70008);
}

#[test]
fn a_wrong_refresh_request_is_refused() {
    let standin = Standin::start();
    let unknown = format!("1.AXoA{}", "x".repeat(1_000));
    let mixed = format!("{MAIL} {CALENDAR}");
    let cases: &[(&str, Changes<'_>, u16, &str, u32)] = &[
        ("common", &[("refresh_token", "-")], 400, "invalid_request", 900144),
        ("common", &[("refresh_token", "garbage")], 400, "invalid_grant", 9002313),
        ("common", &[("refresh_token", unknown.as_str())], 400, "invalid_grant", 70000),
        (
            "common",
            &[("client_id", CONFIDENTIAL_CLIENT_ID), ("client_secret", CLIENT_SECRET)],
            400,
            "invalid_grant",
            70000,
        ),
        ("consumers", &[], 400, "invalid_grant", 50020),
        ("common", &[("scope", mixed.as_str())], 400, "invalid_request", 28000),
        ("common", &[("scope", OPENID)], 400, "invalid_request", 28002),
        ("common", &[("scope", "\u{fc}")], 400, "invalid_scope", 70011),
    ];
    for (tenant, changes, status, error, aadsts) in cases {
        let refresh_token = standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA);
        let response = token_at(&standin, tenant, &change(refresh_parameters(&refresh_token), changes));
        assert_refused(&response, *status, error, *aadsts);
    }
    let refresh_token = standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA);
    standin.revoke_all(700082);
    assert!(!standin.is_valid_refresh_token(&refresh_token));
    assert_refused(&token(&standin, &refresh_parameters(&refresh_token)), 400, "invalid_grant", 700082);
}

#[test]
fn a_confidential_client_needs_its_secret() {
    let standin = Standin::start();
    let refresh_token = standin.seed_refresh_token(CONFIDENTIAL_CLIENT_ID, ADA);
    for (secret, aadsts) in [("-", 7000218), ("", 7000218), ("wrong", 7000215)] {
        let response = token(&standin, &confidential(refresh_parameters(&refresh_token), secret));
        assert_refused(&response, 401, "invalid_client", aadsts);
    }
    let response = token(&standin, &confidential(refresh_parameters(&refresh_token), CLIENT_SECRET));
    assert_eq!(response.status, 200, "{}", response.body);

    let url = format!("{}oauth2/v2.0/token", standin.authority());
    let form = change(refresh_parameters(&refresh_token), &[("client_id", "-")]);
    let basic = client(&standin).post(&url).basic_auth(CONFIDENTIAL_CLIENT_ID, Some(CLIENT_SECRET));
    let basic = basic.header("content-type", "application/x-www-form-urlencoded").body(encode(&form));
    assert_eq!(send(basic).expect("a response").status, 200);
}

#[test]
fn the_token_endpoint_accepts_only_posted_forms() {
    let standin = Standin::start();
    let url = format!("{}oauth2/v2.0/token", standin.authority());
    let form = encode(&refresh_parameters(&standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA)));
    for content_type in ["application/json", "text/plain"] {
        let request = client(&standin).post(&url).header("content-type", content_type).body(form.clone());
        assert_refused(&send(request).expect("a response"), 400, "invalid_request", 900144);
    }
    assert_refused(&send(client(&standin).get(&url)).expect("a response"), 400, "invalid_request", 900561);
    let duplicated = client(&standin).post(&url).header("content-type", "application/x-www-form-urlencoded");
    let response = send(duplicated.body(format!("{form}&{form}"))).expect("a response");
    assert_refused(&response, 400, "invalid_request", 9000411);
}

#[test]
fn the_response_has_the_clients_correlation_id() {
    let standin = Standin::start();
    let url = format!("{}oauth2/v2.0/token", standin.authority_for(TENANT_ID));
    let id = "7d3a1c55-2b0e-4c7a-9f11-0a2b3c4d5e6f";
    let response = send(client(&standin).post(&url).header("client-request-id", id)).expect("a response");
    assert_eq!(response.headers["client-request-id"], id);
    assert_eq!(response.json()["correlation_id"], id);
}
