//! Text from outside on the page that the browser shows after a sign-in.

use standin::{ADA, Fault};

use crate::support::Home;

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
