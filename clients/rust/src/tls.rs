use std::fmt;

use tonic::transport::{Certificate, ClientTlsConfig, Identity};

/// TLS with the system's certificate authorities, or a given one, and no certificate of the client, or a given one.
///
/// ```
/// # use plugin_runner_client::Tls;
/// # let (ca, cert, key) = ("", "", "");
/// let system = Tls::new();
/// let mutual = Tls::new().ca(ca).identity(cert, key);
/// ```
#[derive(Clone, Default)]
#[must_use]
pub struct Tls {
    ca: Option<Certificate>,
    identity: Option<Identity>,
}

impl Tls {
    /// TLS with the system's certificate authorities.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts this authority, in PEM, instead of the system's.
    pub fn ca(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.ca = Some(Certificate::from_pem(pem));
        self
    }

    /// Sends this certificate, with its key, both in PEM.
    pub fn identity(mut self, cert: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        self.identity = Some(Identity::from_pem(cert, key));
        self
    }

    pub(crate) fn into_config(self) -> ClientTlsConfig {
        let config = ClientTlsConfig::new();
        let config = match self.ca {
            Some(ca) => config.ca_certificate(ca),
            None => config.with_native_roots(),
        };
        match self.identity {
            Some(identity) => config.identity(identity),
            None => config,
        }
    }
}

/// Without the key.
impl fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tls").field("ca", &self.ca).finish_non_exhaustive()
    }
}
