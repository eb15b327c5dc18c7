//! The page that the browser shows after a sign-in: what happened, what to do next, and text from outside on it.

use standin::{ADA, Browser, Fault, GRACE, PUBLIC_CLIENT_ID, Page};

use crate::support::{Home, SignIn};

/// Returns the page's heading, and the text of its body without tags.
fn heading_and_text(page: &Page) -> (String, String) {
    let body = page.body.split_once("<body>").expect("a body").1;
    let heading = body.split_once("<h1>").and_then(|(_, rest)| rest.split_once("</h1>")).expect("a heading").0;
    assert_eq!(body.matches("<h1>").count(), 1, "{body}");
    let body = body.replace("<br>", "\n").replace("<code>", "`").replace("</code>", "`");
    let text: String = body.split('<').filter_map(|part| Some(part.split_once('>')?.1)).collect();
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&middot;", "·"), ("&amp;", "&")];
    (heading.to_owned(), entities.iter().fold(text, |text, (entity, character)| text.replace(entity, character)))
}

/// Asserts that the page has this heading, and the message, the hint and the reference of the terminal.
#[track_caller]
fn assert_explains(page: &Page, heading: &str, stderr: &str) {
    let (actual, text) = heading_and_text(page);
    assert_eq!((page.status, &*actual), (200, heading), "{text}");
    let (_, message) = stderr.rsplit_once("error: ").expect("an error");
    let (message, hint) = message.split_once("\nhint: ").expect("a hint");
    let (hint, reference) = hint.trim_end().split_once("\nMicrosoft's reference: ").unwrap_or((hint.trim_end(), ""));
    for line in [message, hint, reference] {
        // The first letter is a capital on the page.
        let mut rest = line.chars();
        rest.next();
        assert!(text.contains(rest.as_str()), "{line:?} in {text}");
    }
    assert!(text.contains("M365-Auth · profile mail"), "{text}");
}

/// Starts a sign-in in this home whose redirect URI is an HTTP one, which needs no certificate.
fn over_http(home: &Home) -> SignIn {
    home.configure(&home.configuration().replace("redirect_uri = 'https:", "redirect_uri = 'http:"));
    SignIn::begin(home.command("get-token").args(["--browser", "never"]))
}

fn state(sign_in: &SignIn) -> &str {
    sign_in.url.split("state=").nth(1).unwrap().split('&').next().unwrap()
}

/// Requests this query of the redirect URI.
fn redirect(home: &Home, query: &str) -> Page {
    Browser::get(&format!("http://localhost:{}/?{query}", home.callback_port)).unwrap()
}

/// Requests the page that a page redirects to.
fn follow(home: &Home, page: &Page) -> Page {
    assert_eq!(page.status, 303, "{}", page.body);
    Browser::get(&format!("http://localhost:{}{}", home.callback_port, page.headers["location"])).unwrap()
}

#[test]
fn text_of_an_error_response_is_escaped_on_the_result_page() {
    let home = Home::new();
    home.standin.inject(Fault::HostileText);
    let sign_in = home.begin_sign_in(&[]);
    let page = sign_in.approve(ADA);
    assert!(page.body.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{}", page.body);
    assert!(!page.body.contains("<script"), "{}", page.body);
    sign_in.finish().fails_with(77);
}

#[test]
fn the_account_name_is_escaped_on_the_result_page() {
    let home = Home::new();
    home.standin.inject(Fault::UserName("<img src=x onerror=alert(1)>".to_owned()));
    let sign_in = home.begin_sign_in(&[]);
    let page = sign_in.approve(ADA);
    assert!(page.body.contains("&lt;img src=x onerror=alert(1)&gt;"), "{}", page.body);
    assert!(!page.body.contains("<img"), "{}", page.body);
    sign_in.finish().token();
}

#[test]
fn the_page_of_a_success_names_product_profiles_and_account() {
    let home = Home::new();
    let sign_in = home.begin_sign_in(&[]);
    let (heading, text) = heading_and_text(&sign_in.approve(ADA));
    assert_eq!(heading, "You are signed in");
    assert!(text.contains(&format!("The token of {ADA} is stored for the profile mail.")), "{text}");
    assert!(text.contains("M365-Auth · profile mail"), "{text}");
    sign_in.finish().token();

    let sign_in = home.begin_sign_in(&["-p", "mail", "-p", "calendar"]);
    let (heading, text) = heading_and_text(&sign_in.approve(ADA));
    assert_eq!(heading, "You are signed in");
    assert!(text.contains("is stored for the profiles mail, calendar."), "{text}");
    assert!(text.contains("M365-Auth · profiles mail, calendar"), "{text}");
    sign_in.finish().token();
}

#[test]
fn the_page_of_a_refusal_has_the_hint_and_the_reference_of_the_terminal() {
    for (fault, code) in [(53003, 77), (65001, 77), (50011, 78), (50196, 75)] {
        let home = Home::new();
        home.configure_with("network_timeout = 3");
        home.standin.inject_times(Fault::aadsts(fault), 20);
        let sign_in = home.begin_sign_in(&[]);
        let page = sign_in.approve(ADA);
        let run = sign_in.finish();
        assert_explains(&page, "Microsoft did not complete the sign-in", run.fails_with(code));
        assert!(page.body.contains(&format!("AADSTS{fault}")) && !page.body.contains("<a "), "{}", page.body);
    }
}

#[test]
fn a_command_in_a_hint_is_shown_as_code() {
    let home = Home::new();
    let sign_in = home.begin_sign_in(&[]);
    let page = sign_in.decline(ADA);
    assert!(page.body.contains("<code>get-token --profile mail</code>"), "{}", page.body);
    let run = sign_in.finish();
    assert_explains(&page, "Microsoft did not complete the sign-in", run.fails_with(77));
}

#[test]
fn the_page_for_administrator_consent_is_a_link() {
    let home = Home::new();
    home.standin.inject(Fault::aadsts(90094));
    let sign_in = home.begin_sign_in(&[]);
    let page = sign_in.approve(ADA);
    let start = format!("<a href=\"{}", home.standin.origin());
    let end = format!("/adminconsent?client_id={PUBLIC_CLIENT_ID}\" rel=\"noreferrer\">");
    assert!(page.body.contains(&start) && page.body.contains(&end), "{}", page.body);
    let run = sign_in.finish();
    assert_explains(&page, "Microsoft did not complete the sign-in", run.fails_with(77));
}

#[test]
fn a_url_in_microsofts_description_is_not_a_link() {
    let home = Home::new();
    let sign_in = over_http(&home);
    let description = "AADSTS90094%3A+Open+https%3A%2F%2Fevil.example%2F+or+%60https%3A%2F%2Flearn.microsoft.com%2F%60+\
                       or+%3Ca+href%3D%22https%3A%2F%2Fevil.example%2F%22%3Ehere%3C%2Fa%3E";
    let query = format!("error=access_denied&error_description={description}&state={}", state(&sign_in));
    let page = follow(&home, &redirect(&home, &query));
    assert!(page.body.contains("Open https://evil.example/ or `https://learn"), "{}", page.body);
    assert_eq!(page.body.matches("<a ").count(), 1, "only the hint's link: {}", page.body);
    assert!(!page.body.contains("href=\"https://evil") && !page.body.contains("<code>https"), "{}", page.body);
    sign_in.finish().fails_with(77);
}

#[test]
fn a_url_as_the_name_of_an_account_is_not_a_link() {
    let home = Home::new();
    home.configure_with(&format!("username = '{ADA}'"));
    let name = "https://evil.example/adminconsent?client_id=`x`";
    home.standin.inject(Fault::UserName(name.to_owned()));
    let sign_in = home.begin_sign_in(&[]);
    let page = sign_in.approve(ADA);
    let run = sign_in.finish();
    assert!(run.fails_with(77).contains(&format!("confirm {name} in a terminal")), "{run:?}");
    assert!(page.body.contains("https://evil.example/") && !page.body.contains("<a "), "{}", page.body);
}

#[test]
fn the_page_of_a_wrong_account_names_both_accounts_and_what_to_do() {
    let home = Home::new();
    home.sign_in().token();
    let sign_in = home.begin_sign_in(&[]);
    let page = sign_in.approve(GRACE);
    let run = sign_in.finish();
    assert_explains(&page, "Wrong account", run.fails_with(77));
    assert!(page.body.contains(ADA) && page.body.contains(GRACE), "{}", page.body);
    assert!(page.body.contains("<code>get-token --sign-out --profile mail</code>"), "{}", page.body);
}

#[test]
#[cfg(unix)]
fn the_page_of_a_token_that_could_not_be_stored_does_not_claim_that_it_was() {
    let home = Home::new();
    home.configure(&home.configuration_with_store("{ load = ['true'], save = ['sh', '-c', 'cat; exit 3'] }"));
    let sign_in = home.begin_sign_in(&[]);
    let page = sign_in.approve(ADA);
    let run = sign_in.finish();
    assert_explains(&page, "The token could not be stored", run.fails_with(74));
    assert!(!page.body.contains("is stored"), "{}", page.body);
}

#[test]
fn the_page_names_each_profile_without_a_token() {
    let home = Home::new();
    let sign_in = home.begin_sign_in(&["-p", "mail", "-p", "calendar"]);
    home.standin.inject(Fault::Delay { milliseconds: 1 }); // the code exchange
    home.standin.inject(Fault::aadsts(65_001)); // the token request for the calendar
    let (heading, text) = heading_and_text(&sign_in.approve(ADA));
    assert_eq!(heading, "You are signed in, but not for every profile");
    assert!(text.contains("is stored for the profile mail."), "{text}");
    assert!(text.contains("Profile \"calendar\": you have not consented"), "{text}");
    sign_in.finish().token();
}

#[test]
fn another_failure_is_explained_on_the_page() {
    let home = Home::new();
    home.standin.inject(Fault::WrongNonce);
    let sign_in = home.begin_sign_in(&[]);
    let page = sign_in.approve(ADA);
    let run = sign_in.finish();
    assert_explains(&page, "Sign-in failed", run.fails_with(76));
}

#[test]
fn the_link_of_another_sign_in_has_expired() {
    let home = Home::new();
    let sign_in = over_http(&home);
    let page = redirect(&home, "code=old&state=of-another-sign-in");
    let (heading, text) = heading_and_text(&page);
    assert_eq!((page.status, &*heading), (400, "Link expired"));
    assert!(text.contains("This link has expired. Start again with get-token."), "{text}");
    // A request that does not belong to a sign-in.
    let (heading, text) = heading_and_text(&redirect(&home, ""));
    assert_eq!(heading, "Request rejected");
    assert!(text.contains("open the URL that get-token shows") && !text.contains("expired"), "{text}");
    sign_in.approve(ADA);
    sign_in.finish().token();
}

#[test]
fn after_an_accepted_redirect_a_reload_shows_the_result_and_another_redirect_has_expired() {
    let home = Home::new();
    let sign_in = over_http(&home);
    home.standin.inject(Fault::Delay { milliseconds: 2000 });
    let url = Browser::redirect_url(&sign_in.url, ADA).unwrap();
    let accepted = Browser::get(&url).unwrap();
    assert_eq!(Browser::get(&url).unwrap().headers.get("location"), accepted.headers.get("location"));
    let other = redirect(&home, &format!("code=other&state={}", state(&sign_in)));
    let wrong = redirect(&home, "code=other&state=wrong");
    assert_eq!((other.status, &other.body), (400, &wrong.body));
    assert!(other.body.contains("This link has expired."), "{}", other.body);
    assert!(follow(&home, &accepted).body.contains("You are signed in"));
    sign_in.finish().token();
}
