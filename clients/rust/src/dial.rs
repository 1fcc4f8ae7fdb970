//! Connections that notice what their first bytes say, since HTTP/2 and TLS only say that they are no good.

use std::fmt;
use std::io;
use std::pin::Pin;
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
const TLS_RECORDS: [u8; 2] = [0x16, 0x15];

/// What the first bytes of a connection say, or that there are none. Errors carry only its text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Finding {
    SpeaksTls,
    SpeaksNoTls,
    SpeaksHttp1,
    Silent,
}

impl Finding {
    const ALL: [Self; 4] = [Self::SpeaksTls, Self::SpeaksNoTls, Self::SpeaksHttp1, Self::Silent];

    /// What was found, of an error's text.
    pub(crate) fn within(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|finding| text.contains(&finding.to_string()))
    }

    fn error(self) -> io::Error {
        let kind = if self == Self::Silent { io::ErrorKind::TimedOut } else { io::ErrorKind::InvalidData };
        io::Error::new(kind, self.to_string())
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::SpeaksTls => "the server speaks TLS",
            Self::SpeaksNoTls => "the server speaks no TLS",
            Self::SpeaksHttp1 => "the server speaks no HTTP/2",
            Self::Silent => "the server took the connection and is silent",
        })
    }
}

/// Makes connections that fail with what was found.
#[derive(Clone, Debug)]
pub(crate) struct Dial {
    connector: HttpConnector,
    tls: bool,
    patience: Duration,
}

impl Dial {
    pub(crate) fn new(tls: bool, patience: Duration) -> Self {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(patience));
        Self { connector, tls, patience }
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
        let (tls, patience) = (self.tls, self.patience);
        let connecting = self.connector.call(uri);
        async move {
            let stream = connecting.await?.into_inner();
            let unheard = Some(Box::pin(sleep(patience)));
            Ok(TokioIo::new(Watched { stream, tls, unheard }))
        }
        .boxed()
    }
}

/// A connection whose first bytes are looked at.
pub(crate) struct Watched {
    stream: TcpStream,
    tls: bool,
    /// Ends when the server has been silent for too long; none once it has said something.
    unheard: Option<Pin<Box<Sleep>>>,
}

impl Watched {
    fn judge(&self, first: &[u8]) -> Option<Finding> {
        let speaks_tls = first.first().is_some_and(|byte| TLS_RECORDS.contains(byte));
        match (self.tls, speaks_tls) {
            (true, false) if !first.is_empty() => Some(Finding::SpeaksNoTls),
            (false, true) => Some(Finding::SpeaksTls),
            (false, false) if first.starts_with(b"HTTP/1") => Some(Finding::SpeaksHttp1),
            _ => None,
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
            return Poll::Ready(Err(Finding::Silent.error()));
        }
        self.unheard = None;
        match self.judge(&buffer.filled()[before..]) {
            Some(finding) => Poll::Ready(Err(finding.error())),
            None => read,
        }
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
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
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
