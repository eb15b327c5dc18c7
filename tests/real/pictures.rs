//! The terminal pictures in the README: the commands' current output, with Microsoft's URLs in place of the test's.
//! `M365AUTH_TEST_PICTURES=write` updates them.

use std::path::Path;

use standin::{ADA, Setup, Standin};

use crate::check::CheckSetup;
use crate::support::Home;

/// Line height and column width in pixels for the font size below.
const LINE: usize = 20;
const COLUMN: f64 = 8.43;

/// Returns terminal text as SVG without scripts, embedded fonts or external resources.
fn svg(command: &str, output: &str) -> String {
    let lines: Vec<String> = std::iter::once(format!("$ {command}")).chain(output.lines().map(wrapped)).collect();
    let lines: Vec<&str> = lines.iter().flat_map(|line| line.split('\n')).collect();
    let columns = lines.iter().map(|line| line.chars().count()).max().unwrap();
    let (width, height) = ((columns as f64 * COLUMN) as usize + 32, lines.len() * LINE + 28);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#1b1f24\"/>\n\
         <g font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"14\" fill=\"#d8dee4\" xml:space=\"preserve\">\n"
    );
    for (number, line) in lines.iter().enumerate() {
        let color = match line.chars().next() {
            Some('✓') => " fill=\"#57ab5a\"",
            Some('✗') => " fill=\"#e5534b\"",
            Some('$') => " fill=\"#ffffff\"",
            _ => "",
        };
        let text = line.replace('&', "&amp;").replace('<', "&lt;");
        svg += &format!("<text x=\"16\" y=\"{}\"{color}>{text}</text>\n", number * LINE + 28);
    }
    svg + "</g>\n</svg>\n"
}

/// Wraps a line like a terminal with 88 columns.
fn wrapped(line: &str) -> String {
    let characters: Vec<char> = line.chars().collect();
    characters.chunks(88).map(|part| part.iter().collect::<String>()).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn assert_picture(name: &str, svg: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    if std::env::var_os("M365AUTH_TEST_PICTURES").is_some() {
        std::fs::write(&file, svg).unwrap();
    }
    let current = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(current == svg, "docs/{name} is out of date; M365AUTH_TEST_PICTURES=write updates it:\n{svg}");
}

/// Starts a stand-in whose access tokens are valid for an hour.
fn standin() -> Standin {
    Standin::start_with(Setup { access_token_lifetime: std::time::Duration::from_secs(3600), ..Setup::default() })
}

#[test]
#[ignore = "tests/run: Dovecot, gnome-keyring, isync"]
fn the_picture_of_a_check_is_up_to_date() {
    let setup = CheckSetup::with(Home::with(standin()));
    let mut output = setup.check().stderr;
    for (actual, shown) in [
        (format!("localhost:{}", setup.server.imaps_port), "outlook.office365.com:993"),
        (format!("localhost:{}", setup.server.submission_port), "smtp.office365.com:587"),
        (format!("localhost:{}/ ", setup.home.callback_port), "localhost:7598/ "),
        (setup.home.standin.origin(), "https://login.microsoftonline.com"),
        (setup.home.path().display().to_string(), "/home/ada"),
    ] {
        assert!(output.contains(&actual), "no {actual} in {output}");
        output = output.replace(&actual, shown);
    }
    assert_picture("check.svg", &svg("get-token --check", &with_fixed_length(&output)));
}

/// Replaces the length of the token, which is random.
fn with_fixed_length(output: &str) -> String {
    let replaced = |line: &str| match line.split_once(" characters;") {
        Some((before, after)) => {
            let start = before.rfind(' ').unwrap() + 1;
            format!("{}1600 characters;{after}", &before[..start])
        }
        None => line.to_owned(),
    };
    output.lines().map(replaced).collect::<Vec<_>>().join("\n")
}

#[test]
#[ignore = "tests/run: gnome-keyring"]
fn the_picture_of_a_sign_in_is_up_to_date() {
    let mut home = Home::with(standin());
    let _login = crate::login::Login::start(&mut home, crate::login::Keyring::Unlocked);
    let sign_in = home.begin_sign_in(&["--profile", "mail"]);
    let (address, fingerprint) = (sign_in.address.clone(), sign_in.fingerprint.clone());
    sign_in.approve(ADA);
    let run = sign_in.finish();
    run.token();
    let shown = "https://login.microsoftonline.com/common/oauth2/v2.0/authorize?response_type=code&…";
    let mut output = run.stderr.replace(&address, shown);
    let (first, second) = fingerprint.split_at(fingerprint.len() / 2 + 1);
    for (part, example) in [(first, 0), (second, 1)] {
        let example = (0..16).map(|byte| format!("{:02X}", byte * 13 + example * 7)).collect::<Vec<_>>().join(":");
        assert!(output.contains(part), "no {part} in {output}");
        output = output.replace(part, &(example + if part == first { ":" } else { "" }));
    }
    assert_picture("sign-in.svg", &svg("get-token --profile mail >/dev/null", &output));
}
