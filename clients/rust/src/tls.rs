use std::fmt;

use tonic::transport::{Certificate, ClientTlsConfig, Identity};

use crate::error::Error;

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
    ca: Option<Vec<u8>>,
    identity: Option<(Vec<u8>, Vec<u8>)>,
}

impl Tls {
    /// TLS with the system's certificate authorities.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts this authority, in PEM, instead of the system's.
    pub fn ca(mut self, pem: impl AsRef<[u8]>) -> Self {
        self.ca = Some(pem.as_ref().to_owned());
        self
    }

    /// Sends this certificate, with its key, both in PEM.
    pub fn identity(mut self, cert: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> Self {
        self.identity = Some((cert.as_ref().to_owned(), key.as_ref().to_owned()));
        self
    }

    pub(crate) fn into_config(self) -> Result<ClientTlsConfig, Error> {
        let mut config = ClientTlsConfig::new();
        config = match self.ca {
            Some(ca) => {
                check("/tls/ca", &ca, "CERTIFICATE")?;
                config.ca_certificate(Certificate::from_pem(ca))
            }
            None => config.with_native_roots(),
        };
        if let Some((cert, key)) = self.identity {
            check("/tls/cert", &cert, "CERTIFICATE")?;
            check("/tls/key", &key, "PRIVATE KEY")?;
            config = config.identity(Identity::from_pem(cert, key));
        }
        Ok(config)
    }
}

/// What has no certificate in it would be taken for no authority at all.
fn check(field: &str, pem: &[u8], label: &str) -> Result<(), Error> {
    let text = String::from_utf8_lossy(pem);
    let has = |label: &str| text.contains(&format!("{label}-----"));
    if has(label) {
        return Ok(());
    }
    let wanted = if label == "CERTIFICATE" { "certificate" } else { "private key" };
    let other = match wanted {
        "certificate" if has("PRIVATE KEY") => "is a private key, and no certificate",
        "private key" if has("CERTIFICATE") => "is a certificate, and no private key",
        _ => return Err(Error::request(field, format!("has no {wanted} in PEM"))),
    };
    Err(Error::request(field, other))
}

/// Without the key.
impl fmt::Debug for Tls {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Tls").field("ca", &self.ca.is_some()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
    const KEY: &str = "-----BEGIN EC PRIVATE KEY-----\nMIIB\n-----END EC PRIVATE KEY-----\n";

    #[test]
    fn what_is_no_certificate_or_no_key_is_refused() {
        for (tls, field, word) in [
            (Tls::new().ca(KEY), "/tls/ca", "is a private key"),
            (Tls::new().ca("ca.pem"), "/tls/ca", "no certificate"),
            (Tls::new().identity(KEY, KEY), "/tls/cert", "is a private key"),
            (Tls::new().identity(CERTIFICATE, CERTIFICATE), "/tls/key", "is a certificate"),
            (Tls::new().identity(CERTIFICATE, ""), "/tls/key", "no private key"),
        ] {
            let error = tls.into_config().unwrap_err();
            assert_eq!((error.reason(), error.violations()[0].field.as_str()), ("REQUEST_INVALID", field));
            assert!(error.to_string().contains(word), "{error}");
        }
    }
}
