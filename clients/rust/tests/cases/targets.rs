use std::time::Duration;
use std::{env, fs};

use plugin_runner_client::{Client, ClientBuilder, Tls};
use serde::Deserialize;

use crate::case::Target;

/// What the cases run against, as the program that starts it says.
#[derive(Clone, Debug, Deserialize)]
pub struct Targets {
    pub cases: String,
    plain: String,
    secure: Secure,
    mutual: Mutual,
    reasons: String,
    down: String,
    pub proxy: Proxy,
    pub silent: Silent,
    pub leaving: Leaving,
}

#[derive(Clone, Debug, Deserialize)]
struct Secure {
    address: String,
    ca: String,
    token: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Mutual {
    address: String,
    ca: String,
    cert: String,
    key: String,
}

/// Passes all on to the plain service, until a connection to `cut` cuts every connection through it.
#[derive(Clone, Debug, Deserialize)]
pub struct Proxy {
    pub address: String,
    pub cut: String,
}

/// Passes all on to the plain service, until a connection to `silence` lets every connection through it fall silent.
#[derive(Clone, Debug, Deserialize)]
pub struct Silent {
    address: String,
    pub silence: String,
}

/// A service that ends and starts again after a connection to `leave`, once a run has begun.
#[derive(Clone, Debug, Deserialize)]
pub struct Leaving {
    address: String,
    pub leave: String,
}

impl Targets {
    pub fn read() -> Self {
        let file = env::var("PLUGIN_RUNNER_TARGETS").expect("start the suite by test/clients/with-targets.ts");
        let text = fs::read_to_string(file).expect("the targets are a file");
        serde_json::from_str(&text).expect("the targets are complete")
    }

    pub fn client(&self, target: Target) -> Client {
        self.builder(target).connect().expect("the targets are well formed")
    }

    pub fn plain_address(&self) -> &str {
        &self.plain
    }

    pub fn secure_address(&self) -> &str {
        &self.secure.address
    }

    /// The server that wants a certificate of the client, without one.
    pub fn without_certificate(&self) -> ClientBuilder {
        Client::builder().address(&self.mutual.address).tls(Tls::new().ca(read(&self.mutual.ca)))
    }

    pub fn builder(&self, target: Target) -> ClientBuilder {
        let at = |address: &str| Client::builder().address(address);
        match target {
            Target::Plain => at(&self.plain),
            Target::Secure => at(&self.secure.address).token(&self.secure.token).tls(self.secure.tls()),
            Target::SecureWithoutToken => at(&self.secure.address).token("").tls(self.secure.tls()),
            Target::SecureWithoutCa => at(&self.secure.address).token(&self.secure.token).tls(Tls::new()),
            Target::Mutual => at(&self.mutual.address).tls(self.mutual.tls()),
            Target::Reasons => at(&self.reasons),
            Target::Down => at(&self.down),
            Target::Silent => at(&self.silent.address).heartbeat_timeout(Duration::from_secs(1)),
            Target::Leaving => at(&self.leaving.address),
        }
    }
}

impl Secure {
    fn tls(&self) -> Tls {
        Tls::new().ca(read(&self.ca))
    }
}

impl Mutual {
    fn tls(&self) -> Tls {
        Tls::new().ca(read(&self.ca)).identity(read(&self.cert), read(&self.key))
    }
}

fn read(file: &str) -> Vec<u8> {
    fs::read(file).expect("the certificates are files")
}
