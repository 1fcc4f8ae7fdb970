//! What is wrong with a connection is said once, by its likely cause, and at once.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use plugin_runner_client::{ClientBuilder, Error};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A server of bytes, and how many connections it took.
pub struct Listening {
    pub address: String,
    taken: Arc<AtomicUsize>,
}

impl Listening {
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }
}

/// Says the bytes to every connection once something came on it, and keeps it open.
pub async fn saying(bytes: &'static [u8]) -> Listening {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let taken = Arc::new(AtomicUsize::new(0));
    let counted = taken.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            counted.fetch_add(1, Ordering::Relaxed);
            tokio::spawn(say(stream, bytes));
        }
    });
    Listening { address, taken }
}

async fn say(mut stream: TcpStream, bytes: &[u8]) -> io::Result<()> {
    stream.read_u8().await?;
    stream.write_all(bytes).await?;
    stream.read_to_end(&mut Vec::new()).await?;
    Ok(())
}

/// What a server of HTTP/2 says that answers its first call with a status of HTTP.
pub fn http_status(number: &str) -> &'static [u8] {
    let settings = [0, 0, 0, 4, 0, 0, 0, 0, 0];
    // Headers and the end of stream 1: the name 8 of HPACK's static table, which is the status.
    let headers = [0, 0, 5, 1, 5, 0, 0, 0, 1, 8, 3];
    [&settings[..], &headers[..], number.as_bytes()].concat().leak()
}

/// How a call and a watch fail, neither of which is tried again.
pub async fn failures(builder: ClientBuilder) -> [Error; 2] {
    ends(builder.on_retry(|error| panic!("tried again: {error}"))).await
}

async fn ends(builder: ClientBuilder) -> [Error; 2] {
    let client = builder.connect().unwrap();
    let call = client.server_info().await.unwrap_err();
    let watch = client.job("any").events().try_next().await.unwrap_err();
    [call, watch]
}

/// The call and the watch say the same.
pub async fn says(builder: ClientBuilder, part: &str) {
    check(failures(builder.retry_for(Duration::from_secs(60))).await, part);
}

/// The same where the server says it after the handshake, so that a call may meet a connection that is closed already.
pub async fn comes_to_say(builder: ClientBuilder, part: &str) {
    check(ends(builder).await, part);
}

fn check(errors: [Error; 2], part: &str) {
    for error in errors {
        assert_eq!(error.reason(), "UNAVAILABLE", "{error}");
        assert!(error.to_string().contains(part), "{error} does not say {part}");
    }
}
