//! Each fault is as described, happens once and in order, and does not affect the next request.

mod support;

use std::error::Error as _;
use std::io::ErrorKind;
use std::time::{Duration, Instant};

use serde_json::Value;
use standin::{ADA, Fault, Outage, PUBLIC_CLIENT_ID, Setup, Standin};
use support::*;

fn refresh(standin: &Standin) -> reqwest::Result<HttpResponse> {
    let refresh_token = standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA);
    post_to(standin, &format!("{}oauth2/v2.0/token", standin.authority()), &refresh_parameters(&refresh_token))
}

/// Returns the kind of the first I/O error in the chain of sources.
fn io_error(error: &reqwest::Error) -> Option<ErrorKind> {
    let mut source = error.source();
    while let Some(inner) = source {
        if let Some(inner) = inner.downcast_ref::<std::io::Error>() {
            return Some(inner.kind());
        }
        source = inner.source();
    }
    None
}

#[test]
fn refusals_come_in_order() {
    let standin = Standin::start();
    standin.inject(Fault::aadsts(50196));
    let status = Fault::Status { status: 503, retry_after: Some("1".into()) };
    standin.inject_times(status, 2);
    standin.inject(Fault::Aadsts {
        code: 4711,
        error: "novelty".into(),
        suberror: Some("strange".into()),
        status: 418,
    });
    let responses: Vec<HttpResponse> = (0..5).map(|_| refresh(&standin).expect("a response")).collect();
    assert_refused(&responses[0], 400, "invalid_grant", 50196);
    for response in &responses[1..3] {
        assert_eq!((response.status, response.headers["retry-after"].as_bytes()), (503, &b"1"[..]));
    }
    assert_refused(&responses[3], 418, "novelty", 4711);
    assert_eq!(responses[3].json()["suberror"], "strange");
    assert_eq!(responses[4].status, 200);

    standin.inject(Fault::Reset);
    standin.clear_faults();
    assert_eq!(refresh(&standin).expect("a response").status, 200);
}

#[test]
fn an_outage_lasts_until_it_ends() {
    let standin = Standin::start();
    assert_eq!(refresh(&standin).expect("a response").status, 200);
    standin.set_outage(Some(Outage::Refused));
    for _ in 0..2 {
        let error = refresh(&standin).err().expect("a refused connection");
        assert_eq!(io_error(&error), Some(ErrorKind::ConnectionRefused));
    }
    standin.set_outage(Some(Outage::Silent));
    let connections = standin.connections();
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", standin.port())).expect("the port is open");
    stream.set_read_timeout(Some(Duration::from_millis(300))).expect("a timeout");
    let error = std::io::Read::read(&mut stream, &mut [0]).expect_err("nothing is sent");
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    assert_eq!(standin.connections(), connections + 1);
    standin.set_outage(None);
    assert_eq!(refresh(&standin).expect("a response").status, 200);
}

#[test]
fn demanded_claims_are_in_the_refusal_until_they_are_sent() {
    let standin = Standin::start();
    let claims = r#"{"access_token":{"acrs":{"essential":true,"value":"c1"}}}"#;
    standin.demand_claims(Some(claims));
    let response = refresh(&standin).expect("a response");
    assert_refused(&response, 400, "invalid_grant", 50076);
    assert_eq!(response.json()["claims"], claims);
    let mut parameters = refresh_parameters(&standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA));
    parameters.push(("claims", claims.to_owned()));
    let url = format!("{}oauth2/v2.0/token", standin.authority());
    assert_eq!(post_to(&standin, &url, &parameters).expect("a response").status, 200);
}

#[test]
fn lifetimes_are_random_and_refresh_in_is_sent_if_it_is_set() {
    let standin = Standin::start();
    let lifetime = || refresh(&standin).expect("a response").json()["expires_in"].as_u64().expect("a number");
    let lifetimes: Vec<u64> = (0..5).map(|_| lifetime()).collect();
    assert!(lifetimes.iter().all(|seconds| (3600..=5400).contains(seconds)), "{lifetimes:?}");
    assert!(lifetimes.iter().any(|seconds| *seconds != lifetimes[0]), "{lifetimes:?}");
    let setup = Setup { refresh_in: Some(1800.into()), ..Setup::default() };
    assert_eq!(refresh(&Standin::start_with(setup)).expect("a response").json()["refresh_in"], 1800);
}

#[test]
fn connection_faults_break_the_connection() {
    let standin = Standin::start();
    for fault in [Fault::Reset, Fault::ResponseLost] {
        standin.inject(fault);
        let error = refresh(&standin).err().expect("no response");
        assert_eq!(io_error(&error), Some(ErrorKind::ConnectionReset), "{error:?}");
        assert_eq!(standin.requests().last().map(|entry| entry.status), Some(0));
    }
    standin.inject(Fault::Truncated);
    let error = refresh(&standin).err().expect("an incomplete response");
    assert!(error.is_body() || error.is_decode(), "{error:?}");
    assert_eq!(refresh(&standin).expect("a response").status, 200);
}

#[test]
fn body_faults_replace_the_response() {
    let standin = Standin::start();
    let refresh_with = |fault| {
        standin.inject(fault);
        refresh(&standin).expect("a response")
    };
    assert_eq!(refresh_with(Fault::Empty).body, "");
    assert!(refresh_with(Fault::Html).headers["content-type"].to_str().is_ok_and(|kind| kind.starts_with("text/html")));
    assert!(serde_json::from_str::<Value>(&refresh_with(Fault::NotJson).body).is_err());
    assert!(refresh_with(Fault::Huge).body.len() > 8 * 1024 * 1024);
    assert!(
        refresh_with(Fault::HostileText).json()["error_description"]
            .as_str()
            .is_some_and(|text| text.contains('\u{1b}'))
    );
    let redirect = refresh_with(Fault::Redirect);
    assert_eq!(
        (redirect.status, redirect.headers["location"].as_bytes()),
        (307, format!("{}/elsewhere", standin.origin()).as_bytes())
    );
    let byte_by_byte = refresh_with(Fault::ByteByByte);
    assert!(byte_by_byte.json()["access_token"].as_str().is_some_and(|token| standin.is_valid_access_token(token)));
    let start = Instant::now();
    assert_eq!(refresh_with(Fault::Delay { milliseconds: 50 }).status, 200);
    assert!(start.elapsed() >= Duration::from_millis(50));
}

#[test]
fn token_faults_change_one_field() {
    let standin = Standin::start();
    let exchange = |fault| {
        let code = code(&standin, &[]);
        standin.inject(fault);
        token(&standin, &code_parameters(&code)).json()
    };
    let claim = |response: &Value, name: &str| {
        use base64::Engine as _;
        let part =
            response["id_token"].as_str().and_then(|token| token.split('.').nth(1)).expect("a payload").to_owned();
        let payload = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(part).expect("base64url");
        serde_json::from_slice::<Value>(&payload).expect("JSON").get(name).cloned()
    };
    assert_eq!(exchange(Fault::NoRefreshToken).get("refresh_token"), None);
    assert_eq!(exchange(Fault::NoIdToken).get("id_token"), None);
    assert_eq!(exchange(Fault::NoAccessToken).get("access_token"), None);
    assert_eq!(exchange(Fault::NoExpiresIn).get("expires_in"), None);
    assert!(exchange(Fault::ExpiresInString)["expires_in"].is_string());
    assert_eq!(exchange(Fault::AccessToken("a b\n".into()))["access_token"], "a b\n");
    assert_eq!(exchange(Fault::TokenType("pop".into()))["token_type"], "pop");
    assert_eq!(exchange(Fault::Scope("none".into()))["scope"], "none");
    assert_eq!(claim(&exchange(Fault::WrongNonce), "nonce"), Some("another-nonce".into()));
    assert_eq!(claim(&exchange(Fault::NoNonce), "nonce"), None);
    assert_ne!(claim(&exchange(Fault::WrongAudience), "aud"), Some(PUBLIC_CLIENT_ID.into()));
    assert_eq!(claim(&exchange(Fault::UserName("a@b".into())), "preferred_username"), Some("a@b".into()));
    let expiry = |fault| claim(&exchange(fault), "exp").and_then(|expiry| expiry.as_u64());
    assert!(expiry(Fault::ExpiredIdToken) < expiry(Fault::Delay { milliseconds: 0 }));
}

#[test]
fn dropping_the_stand_in_closes_a_hanging_connection() {
    let standin = Standin::start();
    standin.inject(Fault::Hang);
    let url = format!("{}oauth2/v2.0/token", standin.authority());
    let request = client(&standin).post(url).body("");
    let waiting = std::thread::spawn(move || send(request));
    while standin.token_requests() == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(100));
    assert!(!waiting.is_finished());
    drop(standin);
    assert!(waiting.join().expect("no panic").is_err());
}

#[test]
fn a_late_response_belongs_to_a_request_that_was_granted_at_once() {
    let standin = Standin::start();
    standin.set_single_use_refresh_tokens(true);
    standin.inject(Fault::LateResponse { milliseconds: 300 });
    let token = standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA);
    let url = format!("{}oauth2/v2.0/token", standin.authority());
    std::thread::scope(|scope| {
        let answer = scope.spawn(|| post_to(&standin, &url, &refresh_parameters(&token)));
        while standin.is_valid_refresh_token(&token) {
            std::thread::sleep(Duration::from_millis(5));
        }
        assert!(!answer.is_finished());
        assert_eq!(answer.join().expect("no panic").expect("an answer").status, 200);
    });
}

#[test]
fn the_control_api_injects_faults_and_reports_state() {
    let standin = Standin::start();
    let post = |path: &str, body: &str| {
        send(client(&standin).post(format!("{}/standin{path}", standin.origin())).body(body.to_owned()))
            .expect("a response")
    };
    let get = |path: &str| {
        send(client(&standin).get(format!("{}/standin{path}", standin.origin()))).expect("a response").json()
    };
    let faults = r#"["reset", "byte_by_byte", {"aadsts": {"code": 53003}}, {"access_token": "x"},
                     {"status": {"status": 429, "retry_after": "2"}}, {"delay": {"milliseconds": 1}}]"#;
    assert_eq!(post("/faults?times=2", faults).json()["queued"], 12);
    assert_eq!(post("/faults", r#""no such fault""#).status, 400);
    standin.clear_faults();
    post("/faults", r#"{"aadsts": {"code": 53003}}"#);
    assert_refused(&refresh(&standin).expect("a response"), 400, "invalid_grant", 53003);

    let seeded = post("/refresh-token", "account=grace@example.com").json();
    let seeded = seeded["refresh_token"].as_str().expect("a token");
    assert_eq!(get(&format!("/valid?refresh_token={seeded}"))["valid"], true);
    assert_eq!(post("/refresh-token", "account=nobody").status, 400);
    assert_eq!(post("/revoke", "aadsts=50173").json()["aadsts"], 50173);
    assert_eq!(get(&format!("/valid?refresh_token={seeded}"))["valid"], false);
    assert_eq!(get("/counts")["token_requests"], 1);
    assert_eq!(get("/requests")[0]["parameters"]["grant_type"], "refresh_token");
    assert!(get("/secrets").as_array().is_some_and(|secrets| secrets.iter().any(|secret| secret == seeded)));
}
