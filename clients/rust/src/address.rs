use tonic::codegen::http::uri::Authority;
use tonic::transport::Uri;

use crate::error::Error;

/// What the service listens on by default.
pub(crate) const DEFAULT_PORT: u16 = 50151;

const FIELD: &str = "/address";

/// An address with its port.
pub(crate) fn with_port(address: &str) -> Result<String, Error> {
    if let Some((scheme, rest)) = address.split_once("://") {
        let tls = if scheme.eq_ignore_ascii_case("https") { ", and speak TLS with tls(Tls::new())" } else { "" };
        let rest = rest.trim_end_matches('/');
        return Err(refused(address, &format!("is a URL; give its host and port, {rest:?}{tls}")));
    }
    // An address of IPv6 without brackets is known by its colons.
    let bare_ipv6 = address.matches(':').count() > 1 && !address.contains('[');
    let address = if bare_ipv6 { format!("[{address}]") } else { address.to_owned() };
    let parsed: Option<Authority> = address.parse().ok();
    let known = parsed.filter(|authority| !authority.host().is_empty() && !authority.as_str().contains('@'));
    let Some(authority) = known else {
        return Err(refused(&address, "is not of the form host:port"));
    };
    let port = &authority.as_str()[authority.host().len()..];
    match port.strip_prefix(':').map(str::parse::<u16>) {
        Some(Ok(port)) if port > 0 => Ok(address),
        None if port.is_empty() => Ok(format!("{address}:{DEFAULT_PORT}")),
        _ => Err(refused(&address, "has no port between 1 and 65535")),
    }
}

/// The URI that a channel takes for an address.
pub(crate) fn uri_of(address: &str, tls: bool) -> Result<Uri, Error> {
    let scheme = if tls { "https" } else { "http" };
    let uri = Uri::builder().scheme(scheme).authority(address).path_and_query("/").build();
    uri.map_err(|_| refused(address, "is not of the form host:port"))
}

fn refused(address: &str, what: &str) -> Error {
    Error::request(FIELD, format!("{address:?} {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_without_a_port_has_that_of_the_service() {
        for (given, expected) in [
            ("localhost", "localhost:50151"),
            ("runner.example.com", "runner.example.com:50151"),
            ("10.0.0.1:80", "10.0.0.1:80"),
            ("::1", "[::1]:50151"),
            ("[::1]", "[::1]:50151"),
            ("[::1]:80", "[::1]:80"),
        ] {
            assert_eq!(with_port(given).unwrap(), expected);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_what_to_give() {
        for (given, word) in [
            ("http://runner:50151", "give its host and port, \"runner:50151\""),
            ("https://runner:443/", "speak TLS with tls(Tls::new())"),
            ("a b:1", "host:port"),
            ("runner/1", "host:port"),
            ("me@runner:1", "host:port"),
            ("runner:", "port between"),
            ("runner:0", "port between"),
            ("runner:70000", "port between"),
            ("runner:x", "port between"),
        ] {
            let error = with_port(given).unwrap_err();
            assert_eq!((error.reason(), error.violations()[0].field.as_str()), ("REQUEST_INVALID", "/address"));
            assert!(error.to_string().contains(word), "{error}");
        }
    }
}
