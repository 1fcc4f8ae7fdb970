use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::dial::TLS_RECORDS;

const PATIENCE: Duration = Duration::from_secs(2);

/// Whether a server answers the first word of TLS with TLS, be it an alert.
pub(crate) async fn speaks_tls(address: &str) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(address).await?;
        stream.write_all(&client_hello()).await?;
        stream.read_u8().await
    };
    matches!(timeout(PATIENCE, ask).await, Ok(Ok(byte)) if TLS_RECORDS.contains(&byte))
}

/// The least that a client of TLS 1.2 may say.
fn client_hello() -> Vec<u8> {
    const SUITES: [u8; 8] = [0xc0, 0x2f, 0xc0, 0x2b, 0xc0, 0x30, 0xc0, 0x2c];
    let mut hello = vec![3, 3];
    hello.extend([0x5a; 32]);
    hello.extend([0, 0, 8]);
    hello.extend(SUITES);
    hello.extend([1, 0]);
    let length = u8::try_from(hello.len()).unwrap_or_default();
    let mut record = vec![0x16, 3, 1, 0, length + 4, 1, 0, 0, length];
    record.extend(hello);
    record
}
