//! A user with a browser, for tests and for machines without a browser.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use reqwest::header::{CONTENT_TYPE, HeaderName, HeaderValue, LOCATION};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use url::{Url, form_urlencoded};

mod trust;

/// The timeout of a request. The callback responds only after the token request, which a test may delay.
const TIMEOUT: Duration = Duration::from_secs(90);

/// The browser of the user who signs in. It opens loopback URLs only.
pub struct Browser;

/// A page in the browser.
#[derive(Debug, Clone)]
pub struct Page {
    /// HTTP status.
    pub status: u16,
    /// URL in the address bar.
    pub url: String,
    /// Response headers, with names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Response body.
    pub body: String,
}

impl Browser {
    /// Opens the authorize URL, continues as `account`, follows the redirect to the callback and all further redirects,
    /// and returns the final page. Accepts the callback's self-signed certificate if its SHA-256 fingerprint is
    /// `fingerprint` (upper-case hexadecimal with colons), or if `fingerprint` is `None`.
    ///
    /// # Errors
    ///
    /// Returns an error if a page is not the expected one, or if the callback cannot be reached.
    pub fn approve(authorize_url: &str, account: &str, fingerprint: Option<&str>) -> Result<Page> {
        blocking(follow(authorize_url, Button::Approve(account), fingerprint))
    }

    /// Like [`Browser::approve`], but presses Cancel.
    ///
    /// # Errors
    ///
    /// Returns the same errors as [`Browser::approve`].
    pub fn decline(authorize_url: &str, account: &str, fingerprint: Option<&str>) -> Result<Page> {
        blocking(follow(authorize_url, Button::Decline(account), fingerprint))
    }

    /// Like [`Browser::approve`], but stops before the callback and returns its URL, which contains the code.
    ///
    /// # Errors
    ///
    /// Returns an error if a page is not the expected one.
    pub fn redirect_url(authorize_url: &str, account: &str) -> Result<String> {
        blocking(press(authorize_url, Button::Approve(account)))
    }

    /// Enters a user code on the verification page, then approves or declines as `account`.
    ///
    /// # Errors
    ///
    /// Returns an error if the code is unknown, expired or used, or if a page is not the expected one.
    pub fn enter_device_code(origin: &str, user_code: &str, account: &str, approve: bool) -> Result<()> {
        let button = if approve { Button::Approve(account) } else { Button::Decline(account) };
        blocking(enter(&format!("{origin}/devicelogin"), user_code, button))
    }

    /// Sends one GET request. Does not follow redirects.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no response.
    pub fn get(url: &str) -> Result<Page> {
        Browser::get_with(url, &[])
    }

    /// Sends one GET request with these headers. Does not follow redirects.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no response, or if a header is malformed.
    pub fn get_with(url: &str, headers: &[(&str, &str)]) -> Result<Page> {
        blocking(async {
            let mut request = client(None)?.get(loopback(url)?);
            for (name, value) in headers {
                request = request.header(name.parse::<HeaderName>()?, value.parse::<HeaderValue>()?);
            }
            fetch(request).await
        })
    }
}

#[derive(Clone, Copy)]
enum Button<'account> {
    Approve(&'account str),
    Decline(&'account str),
}

async fn follow(authorize_url: &str, button: Button<'_>, fingerprint: Option<&str>) -> Result<Page> {
    let mut url = press(authorize_url, button).await?;
    let client = client(fingerprint)?;
    // Browsers give up after about 20 redirects.
    for _ in 0..20 {
        let page = fetch(client.get(loopback(&url)?)).await?;
        match page.headers.get(LOCATION.as_str()) {
            Some(location) if (300..400).contains(&page.status) => {
                url = Url::parse(&page.url)?.join(location)?.into();
            }
            _ => return Ok(page),
        }
    }
    bail!("too many redirects; the last one is to {url}")
}

/// Presses a button on the sign-in page and returns the URL that the response redirects to.
async fn press(authorize_url: &str, button: Button<'_>) -> Result<String> {
    let client = client(None)?;
    let page = fetch(client.get(loopback(authorize_url)?)).await?;
    let decision = submit(&client, &page, button).await?;
    let location = decision.headers.get(LOCATION.as_str());
    location
        .cloned()
        .with_context(|| format!("the sign-in page did not redirect: {} {}", decision.status, decision.body))
}

async fn enter(page: &str, user_code: &str, button: Button<'_>) -> Result<()> {
    let client = client(None)?;
    let page = fetch(post(&client, loopback(page)?, &[("code", user_code)])).await?;
    let decision = submit(&client, &page, button).await?;
    ensure!(decision.status == StatusCode::OK, "the decision was rejected: {}", decision.body);
    Ok(())
}

/// Submits the form that contains the button.
async fn submit(client: &Client, page: &Page, button: Button<'_>) -> Result<Page> {
    ensure!(page.status == StatusCode::OK, "not the sign-in page: {} {}", page.status, page.body);
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
    fetch(post(client, Url::parse(&page.url)?.join(action)?, &fields)).await
}

/// Returns the value of an attribute. Parses just enough HTML for the stand-in's pages.
fn attribute<'html>(element: &'html str, name: &str) -> Option<&'html str> {
    let (_, rest) = element.split_once(&format!(" {name}=\""))?;
    rest.split_once('"').map(|(value, _)| value)
}

fn post(client: &Client, url: Url, fields: &[(&str, &str)]) -> RequestBuilder {
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    client.post(url).header(CONTENT_TYPE, "application/x-www-form-urlencoded").body(form)
}

async fn fetch(request: RequestBuilder) -> Result<Page> {
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

fn loopback(url: &str) -> Result<Url> {
    let url = Url::parse(url).with_context(|| format!("not a URL: {url}"))?;
    let is_loopback = matches!(url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"));
    ensure!(is_loopback, "this browser opens loopback URLs only, not {url}");
    Ok(url)
}

fn client(fingerprint: Option<&str>) -> Result<Client> {
    let client = Client::builder()
        .tls_backend_preconfigured(trust::config(fingerprint)?)
        .no_proxy()
        .redirect(Policy::none())
        .user_agent("Mozilla/5.0 (stand-in for a browser)")
        .timeout(TIMEOUT)
        .build()?;
    Ok(client)
}

/// Runs the future on its own thread, because the caller may already be in a runtime.
fn blocking<T: Send>(future: impl Future<Output = Result<T>> + Send) -> Result<T> {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(future)
        });
        thread.join().unwrap_or_else(|_| bail!("the browser's thread panicked"))
    })
}
