//! The hosts that receive a token, and the certificate authorities that vouch for them.

use standin::Fault;

use crate::support::{Home, finish};

#[test]
fn a_redirect_of_a_token_request_is_not_followed() {
    let home = Home::new();
    home.store_token("mail");
    home.standin.inject(Fault::Redirect);
    home.refresh().fails_with(76);
    let paths: Vec<String> = home.standin.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(paths, ["/common/oauth2/v2.0/token"]);
}

#[test]
fn a_relative_ca_file_is_in_the_folder_of_the_configuration() {
    let home = Home::new();
    home.store_token("mail");
    std::fs::copy(home.standin.ca_file(), home.config_file().with_file_name("ca.pem")).unwrap();
    home.configure(&format!("ca_file = 'ca.pem'\n{}", home.configuration_without("ca_file")));
    let mut refresh = home.command("refresh-token");
    finish(refresh.current_dir(home.path())).token();
}

#[test]
fn an_authority_selects_its_cloud() {
    let mut home = Home::new();
    let _proxy = home.use_silent_proxy(); // this host cannot be reached in a test
    let authority = "https://login.microsoftonline.us/example.com/";
    home.configure(&home.configuration().replace(&home.standin.authority(), authority));
    let sign_in = home.begin_sign_in(&["-p", "mail", "-p", "calendar"]);
    assert!(sign_in.url.starts_with(authority), "{}", sign_in.url);
    for resource in ["outlook.office365.us", "graph.microsoft.us"] {
        assert!(sign_in.url.contains(resource), "{resource} in {}", sign_in.url);
    }
}
