//! With `--config FILE`, each command that is shown repeats the flag: without it, a pasted command would use another
//! configuration.

use standin::{ADA, Fault};

#[cfg(unix)]
use crate::support::eventually;
use crate::support::{Home, Run};

/// A home whose configuration is not in its usual place.
struct Elsewhere {
    home: Home,
    file: String,
}

impl Elsewhere {
    fn new() -> Self {
        let home = Home::new();
        let file = home.path().join("elsewhere.toml");
        std::fs::rename(home.config_file(), &file).unwrap();
        Self { home, file: file.display().to_string() }
    }

    fn run(&self, command: &str, arguments: &[&str]) -> Run {
        self.home.run(command, [&["--config", &self.file], arguments].concat())
    }

    /// Returns the command that hints show.
    fn sign_in(&self) -> String {
        format!("`get-token --config {} --profile mail`", self.file)
    }

    /// Asserts that each `hint` in the JSON output that has a command of ours is the right one.
    #[track_caller]
    fn is_in_json(&self, run: &Run) {
        let json: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        let hints = hints(&json);
        assert!(!hints.is_empty() && hints.iter().all(|hint| hint.contains(&self.sign_in())), "{hints:?} in {run:?}");
    }
}

/// Returns all values of the name `hint`, if they contain a command of ours.
fn hints(json: &serde_json::Value) -> Vec<&str> {
    match json {
        serde_json::Value::Object(members) => {
            let own = members.get("hint").and_then(|hint| hint.as_str()).filter(|hint| hint.contains("get-token"));
            own.into_iter().chain(members.values().flat_map(hints)).collect()
        }
        serde_json::Value::Array(elements) => elements.iter().flat_map(hints).collect(),
        _ => Vec::new(),
    }
}

#[test]
fn errors_and_the_status_repeat_it() {
    let elsewhere = Elsewhere::new();
    let run = elsewhere.run("refresh-token", &[]);
    assert!(run.fails_with(77).contains(&elsewhere.sign_in()), "{run:?}");
    let run = elsewhere.run("get-token", &["--status"]);
    assert!(run.stdout.contains(&format!("(run {})", elsewhere.sign_in())), "{run:?}");
}

#[test]
fn json_repeats_it() {
    let elsewhere = Elsewhere::new();
    elsewhere.is_in_json(&elsewhere.run("get-token", &["--check", "--json"]));
    elsewhere.home.store_token("mail");
    elsewhere.home.standin.inject(Fault::aadsts(50_173));
    elsewhere.run("refresh-token", &[]).fails_with(77);
    elsewhere.is_in_json(&elsewhere.run("get-token", &["--status", "--json"]));
}

#[test]
fn the_result_page_repeats_it() {
    let elsewhere = Elsewhere::new();
    elsewhere.home.standin.inject(Fault::aadsts(70_008));
    let sign_in = elsewhere.home.begin_sign_in(&["--config", &elsewhere.file]);
    let page = sign_in.approve(ADA);
    let shown = format!("<code>get-token --config {} --profile mail</code>", elsewhere.file);
    assert!(page.body.contains(&shown), "{}", page.body);
    let run = sign_in.finish();
    assert!(run.fails_with(77).contains(&elsewhere.sign_in()), "{run:?}");
}

#[test]
#[cfg(unix)]
fn a_notification_repeats_it() {
    let elsewhere = Elsewhere::new();
    let shown = elsewhere.home.path().join("shown");
    let program = format!(
        "on_sign_in_needed = ['sh', '-c', 'printf %s \"$M365AUTH_HINT\" >\"$1\"', '', '{}']\n",
        shown.display()
    );
    std::fs::write(&elsewhere.file, program + &elsewhere.home.configuration()).unwrap();
    elsewhere.run("refresh-token", &[]).fails_with(77);
    let repeats_it = |hint: String| hint.contains(&elsewhere.sign_in());
    eventually("the command is in the hint", || std::fs::read_to_string(&shown).is_ok_and(repeats_it));
}
