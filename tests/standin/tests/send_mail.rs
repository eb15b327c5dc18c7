//! POST `/v1.0/me/sendMail`: what is accepted, and what is refused.

mod support;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use standin::{ADA, Fault, PUBLIC_CLIENT_ID, Standin};
use support::*;

const MESSAGE: &str = "From: Ada <ada@example.com>\nTo: grace@example.com\nSubject: Compilers\n\nA mail.\n";

/// Returns an access token of Ada for this scope.
fn access_token(standin: &Standin, scope: &str) -> String {
    let refresh_token = standin.seed_refresh_token(PUBLIC_CLIENT_ID, ADA);
    let response = token(standin, &change(refresh_parameters(&refresh_token), &[("scope", scope)]));
    response.json()["access_token"].as_str().expect("a token").to_owned()
}

fn post(standin: &Standin, token: &str, content_type: &str, body: String) -> HttpResponse {
    let request = client(standin).post(format!("{}/v1.0/me/sendMail", standin.origin())).bearer_auth(token);
    send(request.header("content-type", content_type).body(body)).expect("a response")
}

fn post_message(standin: &Standin, message: &str) -> (u16, String) {
    let token = access_token(standin, "https://graph.microsoft.com/Mail.Send");
    let response = post(standin, &token, "text/plain", STANDARD.encode(message));
    let code = if response.body.is_empty() { String::new() } else { response.json()["error"]["code"].to_string() };
    (response.status, code)
}

#[test]
fn a_message_is_kept_byte_by_byte() {
    let standin = Standin::start();
    let multipart =
        MESSAGE.replace("\n\nA mail.\n", "\nContent-Type: multipart/mixed; boundary=\"x y\"\n\n--x y\n\nä\n--x y--\n");
    for message in [MESSAGE.to_owned(), MESSAGE.replace('\n', "\r\n"), multipart] {
        assert_eq!(post_message(&standin, &message), (202, String::new()), "{message}");
        assert_eq!(standin.sent_messages().last().expect("a message"), message.as_bytes());
    }
}

#[test]
fn what_graph_refuses_is_refused_and_not_kept() {
    let standin = Standin::start();
    for (original, replacement, status, code) in [
        ("Ada <ada@example.com>", "Grace <grace@example.com>", 403, "ErrorSendAsDenied"),
        ("From", "Sender", 400, "ErrorMimeContentInvalid"),
        ("To", "X-To", 400, "ErrorMimeContentInvalid"),
        ("Subject:", "To: ada@example.com\nSubject:", 400, "ErrorMimeContentInvalid"),
        ("Subject:", "Subject", 400, "ErrorMimeContentInvalid"),
        ("\n\n", "\n", 400, "ErrorMimeContentInvalid"),
        ("A mail.", "\0", 400, "ErrorMimeContentInvalid"),
        ("\n\n", "\nContent-Type: multipart/mixed; boundary=x\n\n--x\n\n", 400, "ErrorMimeContentInvalid"),
    ] {
        let message = MESSAGE.replacen(original, replacement, 1);
        assert_eq!(post_message(&standin, &message), (status, format!("\"{code}\"")), "{message}");
    }
    let token = access_token(&standin, "https://graph.microsoft.com/Mail.Send");
    let encoded = STANDARD.encode(MESSAGE);
    let invalid = post(&standin, &token, "text/plain", encoded.clone() + "\n");
    assert_eq!(invalid.status, 400);
    assert_eq!(invalid.json()["error"]["message"], "Invalid base64 string for MIME content.");
    assert_eq!(post(&standin, &token, "application/json", encoded.clone()).status, 415);
    assert_eq!(post(&standin, &token, "text/plain", "A".repeat(4 * 1024 * 1024 + 1)).status, 413);
    assert_eq!(post(&standin, "not-a-token", "text/plain", encoded.clone()).status, 401);
    let other = access_token(&standin, MAIL);
    assert_eq!(post(&standin, &other, "text/plain", encoded.clone()).status, 401, "the audience is Exchange");
    let other = access_token(&standin, CALENDAR);
    assert_eq!(post(&standin, &other, "text/plain", encoded.clone()).status, 403, "Mail.Send is missing");
    standin.inject_into_graph(Fault::Status { status: 429, retry_after: Some("1".to_owned()) });
    let throttled = post(&standin, &token, "text/plain", encoded.clone());
    assert_eq!((throttled.status, throttled.headers["retry-after"].as_bytes()), (429, &b"1"[..]));
    assert!(standin.sent_messages().is_empty());
    assert_eq!(post(&standin, &token, "text/plain", encoded).status, 202, "the next request");
}
