//! Streams that do what a test tells them.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::stream::{StreamExt, iter, once, pending};
use futures_util::{FutureExt, Stream};

use crate::error::Error;
use crate::link::{LinkOptions, Opening};

/// What a stream does after its messages.
pub(crate) enum End {
    Closes,
    Fails(Error),
    Hangs,
}

/// The messages of a stream, and what it does after them.
type Scripted<M> = (Vec<M>, End);

/// Streams in the order in which they are opened. Where there are no more, opening fails.
#[derive(Clone)]
pub(crate) struct Script<M> {
    streams: Arc<Mutex<VecDeque<Scripted<M>>>>,
    opened: Arc<Mutex<Vec<i64>>>,
}

impl<M: Send + 'static> Script<M> {
    pub(crate) fn new(streams: impl IntoIterator<Item = Scripted<M>>) -> Self {
        let streams = Arc::new(Mutex::new(streams.into_iter().collect()));
        Self { streams, opened: Arc::default() }
    }

    /// Opens the next stream, after an event.
    pub(crate) fn open(&self, after: i64) -> Opening<M> {
        self.opened.lock().unwrap().push(after);
        let next = self.streams.lock().unwrap().pop_front();
        async move {
            let (messages, end) = next.ok_or_else(|| Error::cut("No answer."))?;
            Ok(iter(messages).map(Ok).chain(ending(end)).boxed())
        }
        .boxed()
    }

    /// After which events the streams were opened so far.
    pub(crate) fn opened(&self) -> Vec<i64> {
        self.opened.lock().unwrap().clone()
    }
}

fn ending<M: Send + 'static>(end: End) -> impl Stream<Item = Result<M, Error>> + Send {
    match end {
        End::Closes => iter(None).boxed(),
        End::Fails(error) => once(async { Err(error) }).boxed(),
        End::Hangs => pending().boxed(),
    }
}

pub(crate) fn options() -> LinkOptions {
    LinkOptions {
        silence: Duration::from_secs(30),
        retry_for: Duration::from_secs(600),
        on_retry: None,
        connection: None,
    }
}
