//! The terminal pictures in the README: what the commands print now, in a real terminal with its colors, with
//! Microsoft's URLs in place of the test's. `M365AUTH_TEST_PICTURES=write` updates them.

use std::path::Path;

use standin::{ADA, Browser, Setup, Standin};

use crate::check::CheckSetup;
use crate::memory;
use crate::support::Home;
use crate::tmux::Terminal;

/// Line height and column width in pixels for the font size below.
const LINE: usize = 20;
const COLUMN: f64 = 8.43;
/// The width of the terminal in the picture.
const COLUMNS: usize = 80;
/// The width of the terminal in the test, which wraps nothing: the replaced addresses have other lengths.
const WIDE: usize = 1000;

/// Returns terminal text as SVG without scripts, embedded fonts or external resources.
fn svg(command: &str, output: &str) -> String {
    let lines: Vec<String> = std::iter::once(format!("$ {command}")).chain(output.lines().map(wrapped)).collect();
    let lines: Vec<&str> = lines.iter().flat_map(|line| line.split('\n')).collect();
    let columns = lines.iter().map(|line| textwrap::core::display_width(line)).max().unwrap();
    let (width, height) = ((columns as f64 * COLUMN) as usize + 32, lines.len() * LINE + 28);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} {height}\">\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#1b1f24\"/>\n\
         <g font-family=\"ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace\" font-size=\"14\" fill=\"#d8dee4\">\n"
    );
    for (number, line) in lines.iter().enumerate() {
        let color = if number == 0 { " fill=\"#ffffff\"" } else { "" };
        svg += &format!("<text x=\"16\" y=\"{}\"{color}>{}</text>\n", number * LINE + 28, spans(line));
    }
    svg + "</g>\n</svg>\n"
}

/// Converts the escape sequences of colors (ECMA-48, SGR) to SVG.
fn spans(line: &str) -> String {
    let mut parts = line.split('\u{1b}');
    let mut svg = escaped(parts.next().unwrap());
    let (mut color, mut bold) = ("", "");
    for part in parts {
        let (codes, text) = part.strip_prefix('[').and_then(|part| part.split_once('m')).unwrap();
        for code in codes.split(';') {
            match code {
                "" | "0" => (color, bold) = ("", ""),
                "1" => bold = " font-weight=\"bold\"",
                "2" => color = " fill=\"#768390\"",
                "31" => color = " fill=\"#e5534b\"",
                "32" => color = " fill=\"#57ab5a\"",
                "33" => color = " fill=\"#c69026\"",
                "36" => color = " fill=\"#39c5cf\"",
                "39" => color = "",
                "49" => {} // the background, which is never set
                other => panic!("no color for {other} in {line:?}"),
            }
        }
        svg += &match (color, bold, text) {
            (_, _, "") => String::new(),
            ("", "", text) => escaped(text),
            (color, bold, text) => format!("<tspan{color}{bold}>{}</tspan>", escaped(text)),
        };
    }
    svg
}

/// Escapes a text for XML, with spaces that are not collapsed.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace(' ', "\u{a0}")
}

/// Wraps a line as the commands do in a terminal, which then breaks URLs that are too long.
fn wrapped(line: &str) -> String {
    let label = line.starts_with(['\u{1b}', ' ']);
    let options = textwrap::Options::new(COLUMNS)
        .subsequent_indent(if label { "  " } else { "" })
        .break_words(false)
        .word_separator(textwrap::WordSeparator::AsciiSpace)
        .word_splitter(textwrap::WordSplitter::NoHyphenation);
    textwrap::fill(line, options)
}

/// Returns what the terminal shows above the exit code, with its colors.
fn shown(terminal: &Terminal<'_>) -> String {
    terminal.colored().split("exit code").next().unwrap().trim_end().to_owned()
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
    Standin::start_with(Setup { access_token_lifetime: Some(std::time::Duration::from_secs(3600)), ..Setup::default() })
}

#[test]
#[ignore = "tests/run: Dovecot, gnome-keyring, isync, tmux"]
fn the_picture_of_a_check_is_up_to_date() {
    let _turn = memory::take_turn();
    let setup = CheckSetup::with(Home::with(standin()));
    let configuration = std::fs::read_to_string(setup.home.config_file()).unwrap();
    setup.home.configure(&configuration.replace("cache = 'none'\n", "")); // as most users have it
    let terminal = Terminal::run_in(&setup.home, WIDE, "sh -c 'get-token --check >/dev/tty'");
    terminal.ends_with(0);
    let mut output = shown(&terminal);
    for (actual, shown_as) in [
        (format!("localhost:{}", setup.server.imaps_port), "outlook.office365.com:993"),
        (format!("localhost:{}", setup.server.submission_port), "smtp.office365.com:587"),
        (format!("localhost:{}/", setup.home.callback_port), "localhost:7598/"),
        (setup.home.standin.origin(), "https://login.microsoftonline.com"),
        (setup.home.path().display().to_string(), "/home/ada"),
    ] {
        assert!(output.contains(&actual), "no {actual} in {output}");
        output = output.replace(&actual, shown_as);
    }
    assert_picture("check.svg", &svg("get-token --check", &with_fixed_length(&output)));
}

/// Replaces the length of the token, which is random.
fn with_fixed_length(output: &str) -> String {
    let replaced = |line: &str| match line.split_once(" characters,") {
        Some((before, after)) => {
            let start = before.rfind(' ').unwrap() + 1;
            format!("{}1600 characters,{after}", &before[..start])
        }
        None => line.to_owned(),
    };
    output.lines().map(replaced).collect::<Vec<_>>().join("\n")
}

#[test]
#[ignore = "tests/run: gnome-keyring, tmux"]
fn the_picture_of_a_sign_in_is_up_to_date() {
    let mut home = Home::with(standin());
    let _login = crate::login::Login::start(&mut home, crate::login::Keyring::Gnome);
    let terminal = Terminal::run_in(&home, WIDE, "get-token --profile mail --browser never");
    let url = terminal.url();
    Browser::approve(&url, ADA, None).unwrap();
    terminal.ends_with(0);
    let mut output =
        shown(&terminal).replace(&url, "https://login.microsoftonline.com/common/oauth2/v2.0/authorize?client_id=…");
    let is_fingerprint = |line: &&str| line.len() > 40 && line.chars().all(|c| c == ':' || c.is_ascii_hexdigit());
    let text = output.clone();
    let fingerprint: Vec<&str> = text.lines().map(str::trim).filter(is_fingerprint).collect();
    assert_eq!(fingerprint.len(), 2, "{text}");
    for (number, part) in fingerprint.into_iter().enumerate() {
        let example = (0..16).map(|byte| format!("{:02X}", byte * 13 + number * 7)).collect::<Vec<_>>().join(":");
        output = output.replace(part, &(example + if part.ends_with(':') { ":" } else { "" }));
    }
    assert_picture("sign-in.svg", &svg("get-token --profile mail >/dev/null", &output));
}
