use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use futures_util::TryStreamExt;
use futures_util::future::BoxFuture;
use tokio::time::{Instant, timeout};

use crate::connection::{Connection, Messages};
use crate::error::{Again, Error};
use crate::retry::{MAX_TRIES, pause};

/// A stream of messages that is about to be opened.
pub(crate) type Opening<M> = BoxFuture<'static, Result<Messages<M>, Error>>;

/// How a watch deals with a server that goes away.
#[derive(Clone, Debug)]
pub(crate) struct LinkOptions {
    /// A stream that is silent for longer counts as cut.
    pub(crate) silence: Duration,
    /// How long a server that had answered is looked for.
    pub(crate) retry_for: Duration,
    /// Told of every new try, before the wait for it.
    pub(crate) on_retry: Option<OnRetry>,
    /// What is made anew when a stream is silent for too long.
    pub(crate) connection: Option<Connection>,
}

/// What is told that a watch was cut.
#[derive(Clone)]
pub(crate) struct OnRetry(pub(crate) Arc<dyn Fn(&Error) + Send + Sync>);

impl fmt::Debug for OnRetry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OnRetry")
    }
}

/// A stream that is opened again whenever it was cut. A server that never answers is given up after a few tries.
pub(crate) struct Link<M> {
    options: LinkOptions,
    messages: Option<Messages<M>>,
    failures: u32,
    heard: bool,
    lost_at: Option<Instant>,
}

impl<M> Link<M> {
    pub(crate) fn new(options: LinkOptions) -> Self {
        Self { options, messages: None, failures: 0, heard: false, lost_at: None }
    }

    /// The next message; `None` when the stream has ended, and [`cut`](Self::cut) is to be called if that is too early.
    /// `open` continues where the caller is.
    pub(crate) async fn receive(&mut self, mut open: impl FnMut() -> Opening<M>) -> Result<Option<M>, Error> {
        loop {
            match self.listen(&mut open).await {
                Err(error) if is_cut(&error, self.heard) => self.cut(error).await?,
                outcome => return outcome,
            }
        }
    }

    /// Something came that shows that the stream gets on: the waits are short again.
    pub(crate) fn progressed(&mut self) {
        self.failures = 0;
    }

    /// Waits until the stream may be opened again, or fails with the cause when it is given up.
    pub(crate) async fn cut(&mut self, cause: Error) -> Result<(), Error> {
        self.messages = None;
        self.failures += 1;
        let lost_at = *self.lost_at.get_or_insert_with(Instant::now);
        let given_up = if self.heard { lost_at.elapsed() > self.options.retry_for } else { self.failures >= MAX_TRIES };
        if given_up {
            return Err(cause);
        }
        if let Some(OnRetry(tell)) = &self.options.on_retry {
            tell(&cause);
        }
        pause(self.failures, cause.retry_after()).await;
        Ok(())
    }

    /// Only waiting counts as silence, not the time that the consumer takes.
    async fn listen(&mut self, open: impl FnOnce() -> Opening<M>) -> Result<Option<M>, Error> {
        let (silence, since) = (self.options.silence, Instant::now());
        let messages = &mut self.messages;
        let next = async move {
            let messages = match messages {
                Some(messages) => messages,
                none => none.insert(open().await?),
            };
            messages.try_next().await
        };
        let message = timeout(silence, next).await.map_err(|_| {
            if let Some(connection) = &self.options.connection {
                connection.renew(since);
            }
            Error::cut(format!("Nothing came from the server for {} s.", silence.as_secs_f64()))
        })??;
        if message.is_some() {
            self.heard = true;
            self.lost_at = None;
        }
        Ok(message)
    }
}

/// No watch sets a deadline or cancels itself, so these too are the doing of a proxy or of a server that stops.
fn is_cut(error: &Error, heard: bool) -> bool {
    let again = match error.again() {
        Again::Maybe => true,
        Again::WhenLost => heard,
        Again::Never => false,
    };
    again
        && matches!(
            error.reason(),
            "UNAVAILABLE" | "ENGINE_UNAVAILABLE" | "STORAGE_UNAVAILABLE" | "OVERLOADED" | "DEADLINE" | "CANCELLED"
        )
}
