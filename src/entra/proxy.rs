//! The proxy that the environment names. reqwest ignores a variable that it cannot parse, and anything after the host
//! in it, such as the rest of a password after `#`. So the variables are parsed and checked here.

pub(super) mod connect;

use std::ffi::OsString;
use std::net::IpAddr;

use url::Url;

use crate::error::{Error, ErrorKind, Result};

/// The variables for https URLs, in the order in which they are tried.
const VARIABLES: [&str; 4] = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
/// The supported schemes, with their default ports.
const SCHEMES: [(&str, u16); 6] =
    [("http", 80), ("https", 443), ("socks4", 1080), ("socks4a", 1080), ("socks5", 1080), ("socks5h", 1080)];

/// A proxy, and the variable that names it.
pub(crate) struct Proxy {
    pub(super) variable: &'static str,
    /// May contain a password.
    pub(super) url: Url,
}

/// Returns the proxy for requests to a URL, or `None` if no variable names one or `NO_PROXY` covers the host.
///
/// # Errors
///
/// [`ErrorKind::Configuration`] if the variable is not the URL of a proxy. The message does not contain its value,
/// which may contain a password.
pub(crate) fn proxy_for(url: &Url) -> Result<Option<Proxy>> {
    let Some((variable, value)) = first_set(&VARIABLES) else { return Ok(None) };
    let exceptions = first_set(&["NO_PROXY", "no_proxy"]).and_then(|(_, value)| value.into_string().ok());
    if covers(&exceptions.unwrap_or_default(), url.host_str().unwrap_or_default()) {
        return Ok(None);
    }
    match value.to_str().and_then(parse) {
        Some(url) => Ok(Some(Proxy { variable, url })),
        None => Err(Error::new(ErrorKind::Configuration, format!("{variable} is not the URL of a proxy")).hint(format!(
            "set {variable} to a URL such as http://proxy.example.com:8080 or http://USER:PASSWORD@proxy.example.com:8080; \
             in USER and PASSWORD, write # as %23, / as %2F, ? as %3F, @ as %40 and \\ as %5C"
        ))),
    }
}

/// Returns whether a variable names a proxy. Its value may be invalid.
pub(super) fn is_set() -> bool {
    first_set(&VARIABLES).is_some()
}

impl Proxy {
    /// Returns the host and the port, to show to the user.
    pub(crate) fn server(&self) -> String {
        format!("{}:{}", self.url.host_str().unwrap_or_default(), self.port())
    }

    fn port(&self) -> u16 {
        let default = SCHEMES.iter().find(|(scheme, _)| *scheme == self.url.scheme()).map_or(0, |(_, port)| *port);
        self.url.port().unwrap_or(default)
    }

    pub(super) fn has_password(&self) -> bool {
        self.url.password().is_some()
    }
}

/// Returns the first variable that is set and not blank.
fn first_set(names: &[&'static str]) -> Option<(&'static str, OsString)> {
    let is_blank = |value: &OsString| value.to_str().is_some_and(|text| text.trim().is_empty());
    names.iter().find_map(|name| Some((*name, std::env::var_os(name).filter(|value| !is_blank(value))?)))
}

/// Parses the URL of a proxy. Like curl, it accepts `HOST:PORT` without a scheme. Nothing may follow the host and the
/// port: it would be a part of a password that is not percent-encoded.
fn parse(value: &str) -> Option<Url> {
    let value = value.trim();
    let url = if value.contains("://") { Url::parse(value) } else { Url::parse(&format!("http://{value}")) }.ok()?;
    let is_known = SCHEMES.iter().any(|(scheme, _)| *scheme == url.scheme());
    let has_host = url.host_str().is_some_and(|host| !host.is_empty());
    let has_more = !["", "/"].contains(&url.path()) || url.query().is_some() || url.fragment().is_some();
    (is_known && has_host && !has_more).then_some(url)
}

/// Returns whether a list of exceptions covers the host, by curl's rules: domains with their subdomains, IP addresses,
/// networks such as `192.0.2.0/24`, and `*`.
fn covers(exceptions: &str, host: &str) -> bool {
    let host = host.trim_matches(['[', ']']).to_lowercase();
    let address: Option<IpAddr> = host.parse().ok();
    exceptions.split([',', ' ']).map(|entry| entry.trim().to_lowercase()).filter(|entry| !entry.is_empty()).any(
        |entry| {
            let domain = entry.trim_start_matches('.');
            match address {
                _ if entry == "*" => true,
                Some(address) => entry.parse() == Ok(address) || is_in_network(address, &entry),
                None => host.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.')),
            }
        },
    )
}

/// Returns whether the address is in a network, such as `192.0.2.0/24`.
fn is_in_network(address: IpAddr, network: &str) -> bool {
    let Some((start, prefix)) = network.split_once('/') else { return false };
    let (Ok(start), Ok(prefix)) = (start.parse::<IpAddr>(), prefix.parse::<u32>()) else { return false };
    // The bits that all addresses of the network have in common.
    let masked = |address: IpAddr| match address {
        IpAddr::V4(address) => u128::from(address.to_bits().checked_shr(32_u32.saturating_sub(prefix)).unwrap_or(0)),
        IpAddr::V6(address) => address.to_bits().checked_shr(128_u32.saturating_sub(prefix)).unwrap_or(0),
    };
    address.is_ipv4() == start.is_ipv4() && masked(address) == masked(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proxy_is_a_url_with_a_host_and_a_port_at_most() {
        for (value, server) in [
            ("http://proxy.example.com:8080", "proxy.example.com:8080"),
            (" HTTP://Proxy.Example.com:8080/\n", "proxy.example.com:8080"),
            ("proxy.example.com:8080", "proxy.example.com:8080"),
            (" proxy.example.com:8080\n", "proxy.example.com:8080"),
            ("proxy", "proxy:80"),
            ("https://proxy", "proxy:443"),
            ("http://user:p%23ss@proxy:3128", "proxy:3128"),
            ("http://user:p@ss@proxy:3128", "proxy:3128"),
            ("socks5h://127.0.0.1", "127.0.0.1:1080"),
            ("SOCKS5://[::1]:1081", "[::1]:1081"),
        ] {
            let proxy = Proxy { variable: "HTTPS_PROXY", url: parse(value).expect(value) };
            assert_eq!(proxy.server(), server, "{value}");
        }
        for value in [
            "htp://proxy:8080",
            "ftp://proxy:8080",
            r"DOM\user:pass@proxy:8080",
            r"http://DOM\user:pass@proxy:8080",
            "http://user:pa#ss@proxy:8080",
            "http://user:1#ss@proxy:8080",
            "http://user:1?ss@proxy:8080",
            "http://user:1/ss@proxy:8080",
            "socks5://user:1/ss@proxy:8080",
            "http://proxy:8080/proxy.pac",
            "http://proxy:port",
            "http:/proxy:8080",
            "http://",
            "://",
            "http://pro xy:8080",
        ] {
            assert!(parse(value).is_none(), "{value}");
        }
    }

    #[test]
    fn exceptions_are_domains_addresses_and_networks() {
        for (exceptions, host) in [
            ("*", "login.microsoftonline.com"),
            ("example.com, login.microsoftonline.com", "login.microsoftonline.com"),
            ("MicrosoftOnline.com", "login.microsoftonline.com"),
            (".microsoftonline.com", "login.microsoftonline.com"),
            ("localhost 127.0.0.1", "127.0.0.1"),
            ("127.0.0.0/8", "127.3.2.1"),
            ("0.0.0.0/0", "192.0.2.1"),
            ("::1", "[::1]"),
            ("fd00::/8", "[fd12::1]"),
        ] {
            assert!(covers(exceptions, host), "{exceptions} {host}");
        }
        for (exceptions, host) in [
            ("", "localhost"),
            (" , ", "localhost"),
            ("softonline.com", "login.microsoftonline.com"),
            ("login.microsoftonline.com.example.com", "login.microsoftonline.com"),
            ("127.0.0.0/8", "128.0.0.1"),
            ("::/0", "127.0.0.1"),
            ("127.0.0.1/x", "127.0.0.1"),
            ("0.0.1", "127.0.0.1"),
        ] {
            assert!(!covers(exceptions, host), "{exceptions} {host}");
        }
    }
}
