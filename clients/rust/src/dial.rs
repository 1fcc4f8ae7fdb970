//! Connections that notice what their first bytes say, since HTTP/2 and TLS only say that they are no good.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};
use tonic::transport::Uri;
use tower_service::Service;

/// The records of TLS that a server begins with: its part of the handshake, or an alert.
pub(crate) const TLS_RECORDS: [u8; 2] = [0x16, 0x15];

/// What the first bytes of a connection say, or that there are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    SpeaksTls,
    SpeaksNoTls,
    SpeaksHttp1,
    /// For so long.
    Silent(Duration),
    Closed,
}

impl Finding {
    fn error(self) -> io::Error {
        let kind = match self {
            Self::Silent(_) => io::ErrorKind::TimedOut,
            Self::Closed => io::ErrorKind::ConnectionReset,
            _ => io::ErrorKind::InvalidData,
        };
        io::Error::new(kind, self.to_string())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::SpeaksTls => "the server speaks TLS",
            Self::SpeaksNoTls => "the server speaks no TLS",
            Self::SpeaksHttp1 => "the server speaks no HTTP/2",
            Self::Silent(_) => "the server took the connection and is silent",
            Self::Closed => "the server closed the connection without a word",
        })
    }
}

/// Makes connections that fail with what was found.
#[derive(Clone, Debug)]
pub(crate) struct Dial {
    connector: HttpConnector,
    tls: bool,
    patience: Duration,
    found: Found,
    heard: Arc<AtomicBool>,
}

/// What was found of the last connection that came to something. The errors of HTTP/2 do not tell every call of it.
#[derive(Clone, Debug, Default)]
struct Found(Arc<Mutex<Option<Finding>>>);

impl Found {
    fn set(&self, finding: Option<Finding>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = finding;
    }

    fn get(&self) -> Option<Finding> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Dial {
    pub(crate) fn new(tls: bool, patience: Duration) -> Self {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(patience));
        Self { connector, tls, patience, found: Found::default(), heard: Arc::default() }
    }

    /// The same for another connection, of which nothing has been heard.
    pub(crate) fn anew(&self) -> Self {
        Self { heard: Arc::default(), ..self.clone() }
    }

    /// Whether the server has said something on the connection that was made last.
    pub(crate) fn is_heard(&self) -> bool {
        self.heard.load(Ordering::Relaxed)
    }

    /// How long a host may be silent.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    /// What was wrong with the last connection that came to something.
    pub(crate) fn found(&self) -> Option<Finding> {
        self.found.get()
    }
}

impl Service<Uri> for Dial {
    type Response = TokioIo<Watched>;
    type Error = Box<dyn std::error::Error + Send + Sync>;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.connector.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (tls, patience, found, heard) = (self.tls, self.patience, self.found.clone(), self.heard.clone());
        heard.store(false, Ordering::Relaxed);
        let connecting = self.connector.call(uri);
        async move {
            let stream = connecting.await.inspect_err(|_| found.set(None))?.into_inner();
            let unheard = Some(Box::pin(sleep(patience)));
            Ok(TokioIo::new(Watched { stream, tls, patience, unheard, found, heard }))
        }
        .boxed()
    }
}

/// A connection whose first bytes are looked at.
pub(crate) struct Watched {
    stream: TcpStream,
    tls: bool,
    patience: Duration,
    /// Ends when the server has been silent for too long; none once it has said something.
    unheard: Option<Pin<Box<Sleep>>>,
    found: Found,
    heard: Arc<AtomicBool>,
}

impl Watched {
    fn judge(&self, first: &[u8]) -> Option<Finding> {
        let speaks_tls = first.first().is_some_and(|byte| TLS_RECORDS.contains(byte));
        match (self.tls, speaks_tls) {
            (true, false) if !first.is_empty() => Some(Finding::SpeaksNoTls),
            (false, true) => Some(Finding::SpeaksTls),
            (false, false) if first.starts_with(b"HTTP/1") => Some(Finding::SpeaksHttp1),
            (false, false) if first.is_empty() => Some(Finding::Closed),
            _ => None,
        }
    }

    fn fails(&self, finding: Finding) -> io::Error {
        self.found.set(Some(finding));
        finding.error()
    }

    /// A server that closes while it is written to may have said why, which nobody has read yet: its first bytes are
    /// judged here, and what it said within TLS is left for TLS to read, which the failure of a write would prevent.
    fn explained(&self, written: io::Result<usize>, length: usize) -> io::Result<usize> {
        let Err(error) = &written else { return written };
        if self.unheard.is_none() {
            let closed = matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset);
            return if self.tls && closed { Ok(length) } else { written };
        }
        let mut first = [0; 16];
        let length = self.stream.try_read(&mut first).unwrap_or_default();
        match self.judge(&first[..length]) {
            Some(finding) => Err(self.fails(finding)),
            None => written,
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        let Some(unheard) = &mut self.unheard else { return read };
        if read.is_pending() {
            ready!(unheard.poll_unpin(context));
            return Poll::Ready(Err(self.fails(Finding::Silent(self.patience))));
        }
        let finding = self.judge(&buffer.filled()[before..]);
        self.unheard = None;
        self.heard.store(true, Ordering::Relaxed);
        if let Some(finding) = finding {
            return Poll::Ready(Err(self.fails(finding)));
        }
        self.found.set(None);
        read
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        written.map(|written| self.explained(written, bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        written.map(|written| self.explained(written, slices.iter().map(|slice| slice.len()).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
