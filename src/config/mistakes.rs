//! Each kind of mistake in `config.toml`, with its error and its hint.

use std::path::Path;

use super::keys::KEYS;
use super::{Config, Error};

const CLIENT_ID: &str = "client_id = '00001111-aaaa-2222-bbbb-3333cccc4444'\n";

/// Returns the error in these lines, which follow a client ID: the first of them is line 2.
#[track_caller]
fn error_in(lines: &str) -> Error {
    error_of(&format!("{CLIENT_ID}{lines}\n"))
}

#[track_caller]
fn error_of(text: &str) -> Error {
    let config = Config::parse(Path::new("/home/ada/config.toml"), text.to_owned());
    config.and_then(|config| config.profile(&"mail".parse()?)).map(drop).expect_err(text)
}

/// Asserts the message after the file, and the hint.
#[track_caller]
fn assert_error(error: &Error, message: &str, hint: &str) {
    assert_eq!(error.to_string(), format!("/home/ada/config.toml:{message}"));
    assert_eq!(error.next_step(), Some(hint));
}

#[test]
fn every_key_names_a_value_of_the_wrong_type_and_what_it_must_be() {
    for form in KEYS.iter().map(|key| &key.form) {
        // No value is a date.
        let error = error_of(&format!("\n{} = 2026-01-31\n", form.key));
        let shown = if form.key == "client_secret" { "" } else { " = 2026-01-31" };
        let message = format!("2: {}{shown} is not valid: it must be {}", form.key, form.description());
        assert_eq!(error.to_string(), format!("/home/ada/config.toml:{message}"));
        assert!(error.next_step().expect("a hint").contains("/home/ada/config.toml"), "{error:?}");
    }
}

#[test]
fn a_value_of_each_wrong_type_is_shown_as_written() {
    let line = "edit line 2 of /home/ada/config.toml, for example: network_timeout = 30";
    for value in ["\"soon\"", "-3", "1.5", "0", "601", "true", "99999999999999999999", "[1, \"a\", [2]]"] {
        let must = "it must be a number of seconds from 1 to 600, such as 30";
        let message = format!("2: network_timeout = {value} is not valid: {must}");
        assert_error(&error_in(&format!("network_timeout = {value}")), &message, line);
    }
    for (key, wrong) in [("tenant", "3"), ("cloud", "\"moon\""), ("cache", "true"), ("store", "\"vault\"")] {
        let error = error_in(&format!("{key} = {wrong}")).to_string();
        assert!(error.contains(&format!("2: {key} = {wrong} is not valid: it must be \"")), "{error}");
    }
    for (lines, wrong) in [
        ("[profiles.mail]\nscopes = 'https://x/y'", "3: scopes = \"https://x/y\" is"),
        ("[profiles.mail]\nscopes = ['a', 1]", "3: scopes = [\"a\", 1] is"),
        ("[profiles.mail]\nscopes = []", "3: scopes = [] is"),
        ("[profiles.mail]\nscopes = ['a b']", "3: scopes = [\"a b\"] is"),
        ("store.load = 'pass'", "2: store.load = \"pass\" is"),
        ("on_sign_in_needed = 'notify-send'", "2: on_sign_in_needed = \"notify-send\" is"),
        ("[username]\nname = 'ada'", "2: username = {…} is"),
        ("profiles.mail = 'x'", "2: profiles.mail = \"x\" is not valid: it must be a section"),
        ("[[profiles.mail]]", "2: profiles.mail = [{…}] is not valid: it must be a section"),
    ] {
        let error = error_in(lines).to_string();
        assert!(error.contains(wrong) && error.contains("it must be"), "{wrong} in {error}");
    }
}

#[test]
fn a_value_that_cannot_be_used_is_shown() {
    for (key, value, must) in [
        ("client_id", "mail", "have the form xxxxxxxx-"),
        ("tenant", "a/b", "be a tenant ID, a domain"),
        ("authority", "example.com", "be a login host and a tenant, such as https://"),
        ("authority", "http://example.com/t/", "start with https://"),
        ("redirect_uri", "ftp://localhost/", "start with https:// or http://"),
        ("redirect_uri", "https://localhost/a b", "not contain spaces"),
        ("redirect_uri", "https://example.com/", "be on this machine"),
        ("redirect_uri", "http://localhost:80/", "not have the port 80"),
        ("redirect_uri", "http://localhost/?a", "not contain ? or #"),
        ("imap_host", "localhost:imap", "be HOST or HOST:PORT"),
        ("smtp_host", "", "be HOST or HOST:PORT"),
        ("graph_host", "https://graph.microsoft.com", "be HOST or HOST:PORT"),
    ] {
        let id = if key == "client_id" { "" } else { CLIENT_ID };
        let error = error_of(&format!("{id}{key} = '{value}'\n"));
        let shown = format!(": {key} = \"{value}\" is not valid: it must {must}");
        assert!(error.to_string().contains(&shown), "{shown} in {error}");
        let hint = error.next_step().expect("a hint");
        assert!(hint.contains("/home/ada/config.toml") && hint.contains(key), "{hint}");
    }
}

#[test]
fn an_unknown_key_gets_the_one_that_was_meant_or_the_list() {
    for (written, meant) in [
        ("clientid", "client_id"),
        ("ClientId", "client_id"),
        ("client-id", "client_id"),
        ("secret", "client_secret"),
        ("RedirectUri", "redirect_uri"),
        ("timeout", "network_timeout"),
        ("user", "username"),
        ("imap", "imap_host"),
        ("on_signin_needed", "on_sign_in_needed"),
    ] {
        let error = error_in(&format!("{written} = 'x'"));
        assert_error(&error, &format!("2: unknown key {written}"), &format!("did you mean {meant}?"));
    }
    let error = error_in("[profiles.work]\nscope = ['a']");
    assert_error(&error, "3: unknown key scope in [profiles.work]", "did you mean scopes?");
    assert_error(&error_in("store.laod = ['a']"), "2: unknown key store.laod", "did you mean store.load?");
    for (lines, keys) in [
        ("color = 1", "the keys are client_id, client_secret, client_certificate, "),
        ("[profiles.work]\ncolor = 1", "the keys are client_id, client_secret, client_certificate, "),
        ("store.color = 1", "the keys are store.load, store.save, store.delete"),
    ] {
        let error = error_in(lines);
        let hint = error.next_step().expect("a hint");
        assert!(error.to_string().contains("color") && hint.starts_with(keys), "{error}: {hint}");
        assert_eq!(hint.contains(", scopes"), lines.starts_with("[profiles"), "{hint}");
        assert_eq!(hint.contains(", profiles"), lines == "color = 1", "{hint}");
    }
}

#[test]
fn an_unknown_section_gets_the_one_that_was_meant() {
    for (written, meant) in [
        ("[profile.work]", "did you mean [profiles.work]?"),
        ("[Profiles.\"ada@example.com\"]", "did you mean [profiles.\"ada@example.com\"]?"),
        ("[profile]", "did you mean [profiles.work]?"),
        ("[work]", "did you mean [profiles.work]?"),
        ("[stores]", "did you mean [store]?"),
        ("[profiles.mail.stor]", "did you mean [profiles.mail.store]?"),
        ("[profiles.mail.tenants]", "a name with a dot must be in quotes: [profiles.\"mail.tenants\"]"),
        ("[profiles.ada.lovelace]", "a name with a dot must be in quotes: [profiles.\"ada.lovelace\"]"),
        ("[profiles.a.\"b c\".d]", "a name with a dot must be in quotes: [profiles.\"a.b c.d\"]"),
    ] {
        assert_error(&error_in(written), &format!("2: unknown section {written}"), meant);
    }
    let with_a_table = error_in("[profiles.ada.lovelace]\nstore = { load = ['a'], save = ['b'] }");
    let quoted = "a name with a dot must be in quotes: [profiles.\"ada.lovelace\"]";
    assert_error(&with_a_table, "2: unknown section [profiles.ada.lovelace]", quoted);
}

#[test]
fn a_section_name_that_needs_quotes_is_shown_with_them() {
    for (written, meant) in [
        ("[profiles.ada@example.com]", "[profiles.\"ada@example.com\"]"),
        ("[profile.ada@example.com]", "[profiles.\"ada@example.com\"]"),
        ("[ada@example.com]", "[profiles.\"ada@example.com\"]"),
        ("[profiles.my work]", "[profiles.\"my work\"]"),
        ("[profiles.mail", "[profiles.mail]"),
    ] {
        let error = error_in(&format!("{written}\nscopes = ['a']"));
        assert_error(&error, &format!("2: {written} is not a valid section"), &format!("write {meant}"));
    }
}

#[test]
fn an_unknown_profile_gets_the_one_that_was_meant_or_the_list() {
    let text = format!("{CLIENT_ID}[profiles.work]\nscopes = ['a']\n");
    let config = Config::parse(Path::new("/home/ada/config.toml"), text).expect("a configuration");
    let error = |name: &str| config.profile(&name.parse().expect("a name")).map(drop).expect_err(name);
    for (written, meant) in [("mial", "mail"), ("Mail", "mail"), ("wrok", "work"), ("calender", "calendar")] {
        let error = error(written);
        assert_eq!(error.to_string(), format!("there is no profile \"{written}\" in /home/ada/config.toml"));
        assert_eq!(error.next_step(), Some(&*format!("did you mean \"{meant}\"?")));
    }
    let hint = "the profiles are calendar, mail, send, work; to add \"ada@example.com\", write a section \
                [profiles.\"ada@example.com\"] in /home/ada/config.toml";
    assert_eq!(error("ada@example.com").next_step(), Some(hint));
}

#[test]
fn text_that_is_not_toml_is_explained_in_plain_english() {
    for (lines, message, hint) in [
        ("username = ada@example.com", "2: username = ada@example.com is not valid", "write username = \"ada@"),
        ("username = “ada@example.com”", "2: username = “ada@", "config.toml, write username = \"ada@example.com\""),
        ("ca_file = \"C:\\Users\\ca.pem\"", "2: ca_file = \"C:\\Users", "write ca_file = 'C:\\Users\\ca.pem'"),
        ("username = \"ada", "2: username = \"ada is not valid: it must be an email address in quotes", "line 2 of"),
        ("username =", "2: username has no value: it must be an email address", "username = \"ada@example.com\""),
        ("network_timeout = 30s", "2: network_timeout = 30s is not valid", "network_timeout = 30"),
        ("username 'ada'", "2: this line is not valid TOML: it must be KEY = VALUE, ", "edit line 2 of /home"),
        ("// a comment", "2: this line is not valid TOML: it must be KEY = VALUE, [SECTION] or # COMMENT", "line 2"),
        ("[profiles.mail]\nscopes = [\n'a'\n'b'\n]", "5: this is not valid TOML: a comma is missing in a list", "5"),
        ("scopes = ['a',\ntenant = 'b'", "3: this is not valid TOML: ] is missing at the end of the list above", "3"),
        ("scopes = ['a',", "2: this is not valid TOML: ] is missing at the end of a list", "line 2"),
        ("store = { load = ['a']", "2: this is not valid TOML: } is missing at the end of a table", "line 2"),
        ("store = { load = ['a'] save = ['b'] }", "2: this is not valid TOML: a comma is missing in a table", "line 2"),
        ("tenant = \"\"\"a", "3: this is not valid TOML: \"\"\" is missing at the end of a value", "line 3"),
        ("tenant = '''a", "3: this is not valid TOML: ''' is missing at the end of a value", "line 3"),
        ("tenant = 'a'\ntenant = 'b'", "3: tenant is set twice", "remove one of the two lines"),
        ("color = 'a'\ncolor = 'b'", "3: this key is set twice", "remove one of the two lines"),
        ("[profiles.mail]\n[profiles.mail]", "3: the section [profiles.mail] occurs twice", "move the keys of both"),
    ] {
        let error = error_in(lines);
        let shown = error.to_string();
        assert!(shown.starts_with(&format!("/home/ada/config.toml:{message}")), "{message} in {shown}");
        assert!(error.next_step().expect("a hint").contains(hint), "{hint} in {error:?}");
    }
}

#[test]
fn terms_of_the_parser_are_not_shown() {
    for lines in ["tenant", "tenant = [", "tenant = {", "= 1", "a = 0x", "a = '\u{1}'", "[a", "a.b = 1\na = 2", "é = 1"]
    {
        let error = error_in(lines);
        let shown = format!("{error} {}", error.next_step().unwrap_or_default());
        for word in ["expected", "invalid", "unclosed", "array", "literal", "integer", "string", "newline"] {
            assert!(!shown.contains(word), "{lines}: {shown}");
        }
    }
}

#[test]
fn a_client_secret_is_not_shown() {
    for lines in [
        "client_secret = hunter2",
        "client_secret = \"hunter2",
        "client_secret = 'hunter2' hunter2",
        "client_secret = ['hunter2']",
        "client_secret = { hunter2 = 'hunter2' }",
        "client_secret = { hunter2 = 1, hunter2 = 2 }",
        "[profiles]\nclient_secret = 'hunter2'",
        "[store]\nclient_secret = 'hunter2'",
        "[tenant]\nclient_secret = 'hunter2'",
        "clientsecret = 'hunter2'",
        "ClientSecret = hunter2",
        "[ClientSecret = hunter2",
        "[profiles]\nClientSecret = 'hunter2'",
        "tenant = [{ client_secret = 'hunter2' }]",
    ] {
        let error = error_in(lines);
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}

#[test]
fn of_several_mistakes_the_first_line_is_reported() {
    let error = error_in("tenant = 1\ncache = 2\n[profiles.b]\ncolor = 1\n[profiles.a]\ncolor = 1").to_string();
    assert!(error.contains("config.toml:2: tenant = 1"), "{error}");
    let error = error_in("[profiles.b]\ncolor = 1\n[profiles.a]\ncolor = 1").to_string();
    assert!(error.contains("config.toml:3: unknown key color in [profiles.b]"), "{error}");
}

#[test]
fn keys_that_exclude_each_other_or_are_in_the_wrong_place_are_named() {
    let authority = "authority = 'https://example.com/t/'";
    let message = "2: authority = \"https://example.com/t/\" and";
    for (key, line) in [("tenant", "tenant = 't'"), ("cloud", "cloud = 'china'")] {
        let hint = "remove authority, or remove tenant and cloud: authority replaces both";
        let error = error_in(&format!("{authority}\n{line}"));
        assert_error(&error, &format!("{message} {key} cannot be set together"), hint);
    }
    let error = error_in("grant = 'client_credentials'\nbroker = true");
    let message = if cfg!(target_os = "linux") { "cannot be set together" } else { "on Linux only" };
    assert!(error.to_string().contains("config.toml:3: broker = true"), "{error}");
    assert!(error.to_string().contains(message), "{error}");
    let error = error_in("scopes = ['a']");
    assert_error(
        &error,
        "2: scopes is set outside a profile",
        "move it below the line of a profile, such as [profiles.mail]",
    );
    let error = error_in("store.load = ['pass']");
    let hint = "in /home/ada/config.toml, set it, for example: store.save = [\"pass\", \"insert\", \"--multiline\", \
                \"--force\", \"m365/{profile}\"]";
    assert_error(&error, "2: store.save is missing or empty", hint);
    let error = error_of(&format!("[profiles.\"ada@example.com\"]\n{CLIENT_ID}"));
    assert_error(
        &error,
        "2: client_id is set for [profiles.\"ada@example.com\"] only, not for profile \"mail\"",
        "to use it for all profiles, move it above the first line that starts with [",
    );
}

#[test]
fn a_path_that_only_a_shell_expands_is_an_error() {
    for line in [
        "ca_file = '~/company.pem'",
        "store.load = ['~/bin/load']\nstore.save = ['save']",
        "store.load = ['cat', '~/token']\nstore.save = ['save']",
        "on_sign_in_needed = ['~/bin/notify']",
    ] {
        let error = error_in(line);
        assert!(error.to_string().contains("is not valid: it must contain full paths"), "{error}");
        assert!(error.next_step().is_some_and(|hint| hint.contains("write the full path: \"/")), "{error:?}");
    }
    assert_eq!(
        error_in("username = '~/x'\nca_file = '~x'\n[profiles.mail]\nscopes = []").to_string().matches('~').count(),
        0
    );
}

#[test]
fn a_program_in_one_string_is_shown_as_a_list() {
    for line in ["store.load = 'pass show m365/mail'\nstore.save = ['x']", "on_sign_in_needed = 'pass show m365/mail'"]
    {
        let hint = error_in(line).next_step().unwrap_or_default().to_owned();
        assert!(hint.ends_with("write it as a list: [\"pass\", \"show\", \"m365/mail\"]"), "{hint}");
    }
}
