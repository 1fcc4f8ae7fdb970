use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{BoxStream, StreamExt, TryStreamExt};
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Response, Status, Streaming};

use crate::error::Error;
use crate::proto::plugin_runner_client::PluginRunnerClient;
use crate::retry::retrying;
use crate::status::to_error;

const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// The service takes a longer deadline for one that has passed.
const MAX_DEADLINE: Duration = Duration::from_secs(24 * 24 * 60 * 60);

pub(crate) type Stub = PluginRunnerClient<Channel>;
type Answer<R> = Result<Response<R>, Status>;

/// The messages of one call.
pub(crate) type Messages<M> = BoxStream<'static, Result<M, Error>>;

/// A connection with a token, whose calls fail with an [`Error`].
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    address: Arc<str>,
    stub: Stub,
    token: Option<MetadataValue<Ascii>>,
}

impl Connection {
    pub(crate) fn new(address: String, channel: Channel, token: Option<MetadataValue<Ascii>>) -> Self {
        let stub = Stub::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES);
        let address = address.into();
        Self { address, stub, token }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
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
            self.received(send(self.stub.clone(), request).await)
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
        let messages = self.received(send(self.stub.clone(), self.request(message)).await)?;
        let address = self.address.clone();
        Ok(messages.map_err(move |status| to_error(status, &address)).boxed())
    }

    fn request<Q>(&self, message: Q) -> Request<Q> {
        let mut request = Request::new(message);
        if let Some(token) = &self.token {
            request.metadata_mut().insert("authorization", token.clone());
        }
        request
    }

    fn received<R>(&self, answer: Answer<R>) -> Result<R, Error> {
        match answer {
            Ok(response) => Ok(response.into_inner()),
            Err(status) => Err(to_error(status, &self.address)),
        }
    }
}
