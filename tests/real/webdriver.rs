//! Chromium, controlled through chromedriver with the parts of the WebDriver protocol that a sign-in needs.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::login::program;
use crate::support::{Home, eventually, free_port};

/// The key of an element's ID in WebDriver's JSON.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

pub struct Chromium {
    driver: Child,
    port: u16,
    session: String,
    /// Chromium's home and temporary files.
    _folder: TempDir,
}

impl Chromium {
    /// Starts a Chromium that connects to localhost only, and that trusts this key in addition to the usual
    /// authorities.
    pub fn start(home: &Home, trusted_key: &str) -> Self {
        let folder = tempfile::Builder::new().prefix("m365-chromium-").tempdir_in("/tmp").unwrap();
        let port = free_port();
        let mut driver = program("chromedriver", "chromium-driver");
        home.prepare(&mut driver);
        driver.env("HOME", folder.path()).env("TMPDIR", folder.path());
        driver.arg(format!("--port={port}")).stdout(Stdio::null()).stderr(Stdio::null());
        let driver = driver.spawn().unwrap();
        let mut chromium = Self { driver, port, session: String::new(), _folder: folder };
        eventually("chromedriver listens", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        let options = json!({
            "binary": program("chromium", "chromium").get_program().to_str(),
            "args": arguments(chromium._folder.path(), trusted_key),
        });
        let capabilities = json!({ "capabilities": { "alwaysMatch": { "goog:chromeOptions": options } } });
        let session = chromium.request("POST", "/session", Some(&capabilities)).expect("Chromium starts");
        chromium.session = format!("/session/{}", session["sessionId"].as_str().unwrap());
        chromium
    }

    pub fn open(&self, url: &str) {
        self.command("url", &json!({ "url": url })).expect("the page opens");
    }

    /// Waits for an element and clicks it.
    #[track_caller]
    pub fn click(&self, selector: &str) {
        eventually(selector, || {
            let found = self.command("element", &json!({ "using": "css selector", "value": selector }));
            let Ok(found) = found else { return false };
            let element = found[ELEMENT].as_str().unwrap();
            self.command(&format!("element/{element}/click"), &json!({})).is_ok()
        });
    }

    /// Waits for a page with this text, and returns the page's complete text.
    #[track_caller]
    pub fn page_with(&self, expected: &str) -> String {
        let mut text = String::new();
        eventually(expected, || {
            text = self.text();
            text.contains(expected)
        });
        text
    }

    pub fn url(&self) -> String {
        let url = self.request("GET", &format!("{}/url", self.session), None).unwrap();
        url.as_str().unwrap().to_owned()
    }

    /// Shows all pages in a window of this width, in the light or the dark theme.
    pub fn emulate(&self, width: u32, theme: &str) {
        let metrics = json!({ "width": width, "height": 700, "deviceScaleFactor": 1, "mobile": false });
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": theme }] });
        for (command, parameters) in
            [("Emulation.setDeviceMetricsOverride", metrics), ("Emulation.setEmulatedMedia", media)]
        {
            let body = json!({ "cmd": command, "params": parameters });
            self.command("goog/cdp/execute", &body).expect("Chromium emulates it");
        }
    }

    /// Returns the value of a JavaScript expression on the page.
    pub fn value(&self, expression: &str) -> Value {
        let script = json!({ "script": format!("return {expression}"), "args": [] });
        self.command("execute/sync", &script).expect("a value")
    }

    /// Saves a screenshot as PNG.
    pub fn screenshot(&self, file: &Path) {
        let image = self.request("GET", &format!("{}/screenshot", self.session), None).unwrap();
        std::fs::write(file, STANDARD.decode(image.as_str().unwrap()).unwrap()).unwrap();
    }

    fn text(&self) -> String {
        let script = json!({ "script": "return document.body ? document.body.innerText : ''", "args": [] });
        // While a page is loading, the script fails. The text is then empty.
        self.command("execute/sync", &script).ok().and_then(|text| Some(text.as_str()?.to_owned())).unwrap_or_default()
    }

    fn command(&self, name: &str, body: &Value) -> Result<Value, Value> {
        self.request("POST", &format!("{}/{name}", self.session), Some(body))
    }

    /// Returns the `value` of the response: the result or the error.
    fn request(&self, method: &str, path: &str, body: Option<&Value>) -> Result<Value, Value> {
        self.exchange(method, path, body).expect("chromedriver answers")
    }

    fn exchange(&self, method: &str, path: &str, body: Option<&Value>) -> io::Result<Result<Value, Value>> {
        let body = body.map(Value::to_string).unwrap_or_default();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(60)))?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(request.as_bytes())?;
        let mut reader = BufReader::new(stream);
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head)? > 0 {
            let line = head.lines().last().unwrap_or_default().to_ascii_lowercase();
            length = line.strip_prefix("content-length:").and_then(|value| value.trim().parse().ok()).unwrap_or(length);
        }
        let mut content = vec![0; length];
        reader.read_exact(&mut content)?;
        let value = serde_json::from_slice::<Value>(&content)?["value"].take();
        Ok(if head.starts_with("HTTP/1.1 200 ") { Ok(value) } else { Err(value) })
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        // Ending the session ends Chromium. An error cannot be reported while dropping.
        _ = self.exchange("DELETE", &self.session, None);
        _ = self.driver.kill();
        _ = self.driver.wait();
    }
}

fn arguments(folder: &Path, trusted_key: &str) -> Vec<String> {
    let flags = [
        "--headless=new",
        "--no-sandbox", // Chromium refuses to run as root with its sandbox
        "--disable-gpu",
        "--disable-quic",
        "--disable-dev-shm-usage",
        "--no-first-run",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE localhost",
        "--window-size=900,700",
    ];
    let mut arguments: Vec<String> = flags.map(ToOwned::to_owned).into();
    arguments.push(format!("--user-data-dir={}", folder.join("profile").display()));
    arguments.push(format!("--ignore-certificate-errors-spki-list={trusted_key}"));
    arguments
}
