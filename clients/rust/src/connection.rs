use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream::{BoxStream, StreamExt, TryStreamExt};
use tokio::time::Instant;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Endpoint;
use tonic::{Request, Response, Status, Streaming};

use crate::dial::{Dial, Finding};
use crate::error::Error;
use crate::probe::speaks_tls;
use crate::proto::plugin_runner_client::PluginRunnerClient;
use crate::retry::retrying;
use crate::status::{timed_out, to_error};

pub(crate) const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// The service takes a longer deadline for one that has passed.
const MAX_DEADLINE: Duration = Duration::from_secs(24 * 24 * 60 * 60);

pub(crate) type Stub = PluginRunnerClient<tonic::transport::Channel>;
type Answer<R> = Result<Response<R>, Status>;

/// The messages of one call.
pub(crate) type Messages<M> = BoxStream<'static, Result<M, Error>>;

/// Where a connection goes to, and how.
pub(crate) struct Target {
    pub(crate) address: String,
    pub(crate) endpoint: Endpoint,
    pub(crate) dial: Dial,
    pub(crate) token: Option<MetadataValue<Ascii>>,
}

/// A connection with a token, whose calls fail with an [`Error`]. Clones share it.
#[derive(Clone)]
pub(crate) struct Connection(Arc<Shared>);

struct Shared {
    target: Target,
    current: Mutex<Current>,
}

/// The stub of the newest connection, how that is made, and since when it is the newest.
struct Current {
    stub: Stub,
    dial: Dial,
    since: Instant,
}

impl Connection {
    pub(crate) fn new(target: Target) -> Self {
        let current = Mutex::new(Current::new(&target));
        Self(Arc::new(Shared { target, current }))
    }

    pub(crate) fn address(&self) -> &str {
        &self.0.target.address
    }

    /// Leaves a connection on which nothing was heard since a time: the next call makes another. Streams that are open
    /// keep theirs. One that is still being made would never be there in time if it were begun anew.
    pub(crate) fn renew(&self, silent_since: Instant) {
        let mut current = self.0.current.lock().unwrap_or_else(PoisonError::into_inner);
        if current.since <= silent_since && current.dial.is_heard() {
            *current = Current::new(&self.0.target);
        }
    }

    /// Makes a call, and makes it again while the service does not take it.
    pub(crate) async fn call<Q, R, F>(&self, message: Q, send: impl Fn(Stub, Request<Q>) -> F) -> Result<R, Error>
    where
        Q: Clone,
        F: Future<Output = Answer<R>>,
    {
        self.call_within(None, message, send).await
    }

    /// The same, where each try has a time limit.
    pub(crate) async fn call_within<Q, R, F>(
        &self,
        limit: Option<Duration>,
        message: Q,
        send: impl Fn(Stub, Request<Q>) -> F,
    ) -> Result<R, Error>
    where
        Q: Clone,
        F: Future<Output = Answer<R>>,
    {
        let limit = limit.filter(|limit| *limit <= MAX_DEADLINE);
        retrying(|| async {
            let mut request = self.request(message.clone());
            if let Some(limit) = limit {
                request.set_timeout(limit);
            }
            self.received(send(self.stub(), request).await).await
        })
        .await
    }

    /// Makes a call once whose answer is a stream of messages.
    pub(crate) async fn stream<Q, M, F>(
        &self,
        message: Q,
        send: impl Fn(Stub, Request<Q>) -> F,
    ) -> Result<Messages<M>, Error>
    where
        M: Send + 'static,
        F: Future<Output = Answer<Streaming<M>>>,
    {
        let messages = self.received(send(self.stub(), self.request(message)).await).await?;
        let connection = self.clone();
        Ok(messages.map_err(move |status| to_error(status, connection.address(), None)).boxed())
    }

    fn stub(&self) -> Stub {
        self.0.current.lock().unwrap_or_else(PoisonError::into_inner).stub.clone()
    }

    fn request<Q>(&self, message: Q) -> Request<Q> {
        let mut request = Request::new(message);
        if let Some(token) = &self.0.target.token {
            request.metadata_mut().insert("authorization", token.clone());
        }
        request
    }

    async fn received<R>(&self, answer: Answer<R>) -> Result<R, Error> {
        let status = match answer {
            Ok(response) => return Ok(response.into_inner()),
            Err(status) => status,
        };
        let found = match self.0.target.dial.found() {
            Some(Finding::Closed) if speaks_tls(self.address()).await => Some(Finding::SpeaksTls),
            None if timed_out(&status) => Some(Finding::Silent(self.0.target.dial.patience())),
            found => found,
        };
        Err(to_error(status, self.address(), found))
    }
}

/// Without the token.
impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Connection").field("address", &self.address()).finish_non_exhaustive()
    }
}

impl Current {
    fn new(target: &Target) -> Self {
        let dial = target.dial.anew();
        let channel = target.endpoint.connect_with_connector_lazy(dial.clone());
        let stub = Stub::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES);
        Self { stub, dial, since: Instant::now() }
    }
}
