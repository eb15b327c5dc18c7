//! A person and their browser, for tests and for machines without one.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use url::{Url, form_urlencoded};

mod trust;

/// The callback answers when it has its token, and a test may make it wait for that.
const PATIENCE: Duration = Duration::from_secs(90);

/// The browser of the person who signs in. It opens nothing but loopback.
pub struct Browser;

/// What the browser shows.
#[derive(Debug, Clone)]
pub struct Page {
    /// HTTP status.
    pub status: u16,
    /// The address in the address bar.
    pub url: String,
    /// Headers, their names in lower case.
    pub headers: BTreeMap<String, String>,
    /// The document.
    pub body: String,
}

impl Browser {
    /// Opens the authorize address, continues as `account`, follows the redirect to the callback of the program and
    /// the redirects of the callback, and returns the final page. The self-signed certificate of the callback is
    /// accepted if its SHA-256 `fingerprint` (upper-case hexadecimal, colons) is that given, or if none is given.
    ///
    /// # Errors
    ///
    /// If a page is not as expected, or the callback cannot be reached.
    pub fn approve(authorize_url: &str, account: &str, fingerprint: Option<&str>) -> Result<Page> {
        blocking(follow(authorize_url, Button::Approve(account), fingerprint))
    }

    /// As [`Browser::approve`], but cancels.
    ///
    /// # Errors
    ///
    /// As those of [`Browser::approve`].
    pub fn decline(authorize_url: &str, account: &str, fingerprint: Option<&str>) -> Result<Page> {
        blocking(follow(authorize_url, Button::Decline(account), fingerprint))
    }

    /// As [`Browser::approve`], but stops before the callback, whose address with the code it returns.
    ///
    /// # Errors
    ///
    /// If a page is not as expected.
    pub fn redirect_address(authorize_url: &str, account: &str) -> Result<String> {
        blocking(press(authorize_url, Button::Approve(account)))
    }

    /// Enters the code of a device at the verification page and decides as `account`.
    ///
    /// # Errors
    ///
    /// If the code is unknown, expired or used, or a page is not as expected.
    pub fn enter_device_code(origin: &str, user_code: &str, account: &str, approve: bool) -> Result<()> {
        let button = if approve { Button::Approve(account) } else { Button::Decline(account) };
        blocking(enter(&format!("{origin}/devicelogin"), user_code, button))
    }

    /// One GET; redirects are not followed.
    ///
    /// # Errors
    ///
    /// If there is no answer.
    pub fn get(url: &str) -> Result<Page> {
        Browser::get_with(url, &[])
    }

    /// One GET with these headers; redirects are not followed.
    ///
    /// # Errors
    ///
    /// If there is no answer, or a header is malformed.
    pub fn get_with(url: &str, headers: &[(&str, &str)]) -> Result<Page> {
        blocking(async {
            let mut request = client(None)?.get(loopback(url)?);
            for (name, value) in headers {
                request = request.header(name.parse::<HeaderName>()?, value.parse::<HeaderValue>()?);
            }
            load(request).await
        })
    }
}

#[derive(Clone, Copy)]
enum Button<'account> {
    Approve(&'account str),
    Decline(&'account str),
}

async fn follow(authorize_url: &str, button: Button<'_>, fingerprint: Option<&str>) -> Result<Page> {
    let mut address = press(authorize_url, button).await?;
    let client = client(fingerprint)?;
    // Browsers give up after some 20.
    for _ in 0..20 {
        let page = load(client.get(loopback(&address)?)).await?;
        match page.headers.get(LOCATION.as_str()) {
            Some(location) if (300..400).contains(&page.status) => {
                address = Url::parse(&page.url)?.join(location)?.into();
            }
            _ => return Ok(page),
        }
    }
    bail!("the callback redirects for ever, lastly to {address}")
}

/// Presses the button at the sign-in page, and returns where it redirects.
async fn press(authorize_url: &str, button: Button<'_>) -> Result<String> {
    let client = client(None)?;
    let page = load(client.get(loopback(authorize_url)?)).await?;
    let decision = submit(&client, &page, button).await?;
    let location = decision.headers.get(LOCATION.as_str());
    location
        .cloned()
        .with_context(|| format!("the sign-in page redirects nowhere: {} {}", decision.status, decision.body))
}

async fn enter(page: &str, user_code: &str, button: Button<'_>) -> Result<()> {
    let client = client(None)?;
    let page = load(post(&client, loopback(page)?, &[("code", user_code)])).await?;
    let decision = submit(&client, &page, button).await?;
    ensure!(decision.status == StatusCode::OK, "the decision was refused: {}", decision.body);
    Ok(())
}

/// Sends the form of the page that has the button.
async fn submit(client: &Client, page: &Page, button: Button<'_>) -> Result<Page> {
    ensure!(page.status == StatusCode::OK, "no sign-in page but {}: {}", page.status, page.body);
    let (label, account) = match button {
        Button::Approve(account) => (format!("value=\"{account}\""), account),
        Button::Decline(account) => ("name=\"decline\"".to_owned(), account),
    };
    let form = page.body.split("<form").find(|form| form.contains(&label));
    let form = form.with_context(|| format!("no button for {account} on the page: {}", page.body))?;
    let action = attribute(form, "action").context("the form has no action")?;
    let fields: Vec<(&str, &str)> = form
        .split("<input")
        .skip(1)
        .filter_map(|input| Some((attribute(input, "name")?, attribute(input, "value")?)))
        .collect();
    load(post(client, Url::parse(&page.url)?.join(action)?, &fields)).await
}

/// Enough HTML for the pages of the stand-in.
fn attribute<'html>(element: &'html str, name: &str) -> Option<&'html str> {
    let (_, rest) = element.split_once(&format!(" {name}=\""))?;
    rest.split_once('"').map(|(value, _)| value)
}

fn post(client: &Client, url: Url, fields: &[(&str, &str)]) -> RequestBuilder {
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    client.post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form)
}

async fn load(request: RequestBuilder) -> Result<Page> {
    let response: Response = request.send().await?;
    let headers = response.headers().iter();
    let headers =
        headers.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()));
    Ok(Page {
        status: response.status().as_u16(),
        url: response.url().to_string(),
        headers: headers.collect(),
        body: response.text().await?,
    })
}

fn loopback(address: &str) -> Result<Url> {
    let url = Url::parse(address).with_context(|| format!("no address: {address}"))?;
    let is_loopback = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    ensure!(is_loopback, "this browser opens loopback only, not {address}");
    Ok(url)
}

fn client(fingerprint: Option<&str>) -> Result<Client> {
    let client = Client::builder()
        .tls_backend_preconfigured(trust::config(fingerprint)?)
        .no_proxy()
        .redirect(Policy::none())
        .user_agent("Mozilla/5.0 (stand-in for a browser)")
        .timeout(PATIENCE)
        .build()?;
    Ok(client)
}

/// In a thread of its own, for the caller may be in a runtime already.
fn blocking<T: Send>(future: impl Future<Output = Result<T>> + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(future)
        });
        thread.join().unwrap_or_else(|_| bail!("the browser crashed"))
    })
}
