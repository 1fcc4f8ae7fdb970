use std::env;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Endpoint;

use crate::address::{DEFAULT_PORT, uri_of, with_port};
use crate::client::Client;
use crate::connection::{Connection, Target};
use crate::dial::Dial;
use crate::error::Error;
use crate::link::{LinkOptions, OnRetry};
use crate::tls::Tls;

const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// Where the service is, and how to speak to it: see [`Client::builder`].
#[derive(Clone)]
#[must_use]
pub struct ClientBuilder {
    address: Option<String>,
    token: Option<String>,
    tls: Option<Tls>,
    connect_timeout: Duration,
    options: LinkOptions,
}

impl ClientBuilder {
    pub(crate) fn new() -> Self {
        let options = LinkOptions {
            silence: Duration::from_secs(30),
            retry_for: Duration::from_secs(600),
            on_retry: None,
            connection: None,
        };
        Self { address: None, token: None, tls: None, connect_timeout: Duration::from_secs(20), options }
    }

    /// `host:port`, or `host` for the port 50151. Default: `PLUGIN_RUNNER_ADDRESS`, then `127.0.0.1:50151`.
    pub fn address(mut self, address: impl Into<String>) -> Self {
        self.address = Some(address.into());
        self
    }

    /// Sent as bearer token; an empty one is none. Default: `PLUGIN_RUNNER_TOKEN`, then none.
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Speaks TLS. Default: plain text.
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// How long a host may be silent that is to take a connection, TLS and its first word included. Default: 20 seconds.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// A watch that hears nothing for so long is opened again, on a new connection. Default: 30 seconds, three heartbeats.
    pub fn heartbeat_timeout(mut self, timeout: Duration) -> Self {
        self.options.silence = timeout;
        self
    }

    /// How long a watch looks for a server that it has lost. Default: 10 minutes.
    pub fn retry_for(mut self, time: Duration) -> Self {
        self.options.retry_for = time;
        self
    }

    /// Told whenever a watch was cut, before it is opened again.
    pub fn on_retry(mut self, tell: impl Fn(&Error) + Send + Sync + 'static) -> Self {
        self.options.on_retry = Some(OnRetry(Arc::new(tell)));
        self
    }

    /// The client. Its connection is made by the first call.
    ///
    /// # Errors
    ///
    /// An [`Error::Validation`] when the address, the token or a certificate is malformed.
    ///
    /// # Panics
    ///
    /// Outside a Tokio runtime.
    pub fn connect(self) -> Result<Client, Error> {
        let address = with_port(&address_of(self.address, env::var("PLUGIN_RUNNER_ADDRESS").ok()))?;
        let token = token_of(self.token, env::var("PLUGIN_RUNNER_TOKEN").ok());
        let token = token.as_deref().map(bearer).transpose()?;
        let dial = Dial::new(self.tls.is_some(), self.connect_timeout);
        let endpoint = endpoint(&address, self.tls, self.connect_timeout)?;
        let target = Target { address, endpoint, dial, token };
        Ok(Client { connection: Connection::new(target), options: self.options })
    }
}

/// Without what is secret.
impl fmt::Debug for ClientBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ClientBuilder").field("address", &self.address).finish_non_exhaustive()
    }
}

fn address_of(given: Option<String>, environment: Option<String>) -> String {
    let named = [given, environment].into_iter().flatten().find(|address| !address.is_empty());
    named.unwrap_or_else(|| format!("127.0.0.1:{DEFAULT_PORT}"))
}

fn token_of(given: Option<String>, environment: Option<String>) -> Option<String> {
    given.or(environment).filter(|token| !token.is_empty())
}

fn endpoint(address: &str, tls: Option<Tls>, connect_timeout: Duration) -> Result<Endpoint, Error> {
    let endpoint = Endpoint::from(uri_of(address, tls.is_some())?)
        .connect_timeout(connect_timeout)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(KEEP_ALIVE)
        .keep_alive_while_idle(true);
    match tls {
        Some(tls) => endpoint
            .tls_config(tls.into_config()?)
            .map_err(|error| Error::request("/tls", format!("has certificates that cannot be used: {error}"))),
        None => Ok(endpoint),
    }
}

fn bearer(token: &str) -> Result<MetadataValue<Ascii>, Error> {
    let mut value = MetadataValue::try_from(format!("Bearer {token}"))
        .map_err(|_| Error::request("/token", "has characters that a header cannot carry"))?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(builder: ClientBuilder) -> String {
        let error = builder.connect().unwrap_err();
        assert_eq!(error.reason(), "REQUEST_INVALID");
        assert!(matches!(error, Error::Validation(_)));
        error.to_string()
    }

    #[tokio::test]
    async fn what_cannot_be_sent_is_refused_before_the_first_call() {
        for address in ["a b:1", "http://runner:50151", "runner/1"] {
            assert!(refused(Client::builder().address(address)).contains(address));
        }
        let token = refused(Client::builder().token("two\nlines"));
        assert!(token.contains("/token") && !token.contains("two"), "{token}");
    }

    #[test]
    fn what_is_given_goes_before_the_environment() {
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(address_of(text("a:1"), text("b:2")), "a:1");
        assert_eq!(address_of(None, text("b:2")), "b:2");
        assert_eq!(address_of(text(""), text("")), "127.0.0.1:50151");
        assert_eq!(token_of(text("given"), text("other")), text("given"));
        assert_eq!(token_of(text(""), text("other")), None);
        assert_eq!(token_of(None, text("other")), text("other"));
        assert_eq!(token_of(None, text("")), None);
    }

    #[tokio::test]
    async fn secrets_are_not_printed() {
        let builder = Client::builder().token("hidden").tls(Tls::new().identity("hidden", "hidden"));
        assert!(!format!("{builder:?}").contains("hidden"));
        let client = Client::builder().token("hidden").connect().unwrap();
        assert!(!format!("{client:?}").contains("hidden"));
    }
}
