use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::stream::{BoxStream, StreamExt, TryStreamExt};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::Channel;
use tonic::{Request, Response, Status, Streaming};

use crate::builder::ClientBuilder;
use crate::error::Error;
use crate::feed::Feed;
use crate::job::JobHandle;
use crate::jobs_watch::{JobsUpdate, JobsWatch};
use crate::json;
use crate::link::LinkOptions;
use crate::pages::Pages;
use crate::proto::plugin_runner_client::PluginRunnerClient;
use crate::proto::submit_job_response::Update;
use crate::proto::{
    CancelJobRequest, DeleteJobRequest, GetJobRequest, GetPluginRequest, GetServerInfoRequest, GetServerInfoResponse,
    Job, JobFilter, ListJobsRequest, ListPluginsRequest, Plugin, WatchJobRequest, WatchJobsRequest,
};
use crate::retry::retrying;
use crate::run::{Mode, Run};
use crate::status::to_error;
use crate::verdict::Verdict;
use crate::watch::{JobUpdate, JobWatch};

const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

/// How much longer a call may take than its run, so that the service's own word about the timeout arrives.
const DEADLINE_GRACE: Duration = Duration::from_secs(5);

/// The service takes a longer deadline for one that has passed.
const MAX_DEADLINE: Duration = Duration::from_secs(24 * 24 * 60 * 60);

type Stub = PluginRunnerClient<Channel>;

/// A connection to a service. Clones share it; it ends with the last of them.
///
/// Every call that the service has not taken is repeated a few times. Dropping the future of a call ends it, and with it
/// a run; a job goes on.
#[derive(Clone, Debug)]
pub struct Client {
    address: Arc<str>,
    stub: Stub,
    token: Option<MetadataValue<Ascii>>,
    options: LinkOptions,
}

impl Client {
    /// Where the service is: `Client::builder().address("runner:50151").connect()`.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    pub(crate) fn new(
        address: String,
        channel: Channel,
        token: Option<MetadataValue<Ascii>>,
        options: LinkOptions,
    ) -> Self {
        let stub = Stub::new(channel).max_decoding_message_size(MAX_MESSAGE_BYTES);
        Self {
            address: address.into(),
            stub,
            token,
            options,
        }
    }

    /// The address that calls go to.
    #[must_use]
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Runs an action and returns its result; in [`Mode::Job`] the job's id, as soon as the service has recorded it.
    ///
    /// # Errors
    ///
    /// What the service says of the run, or what kept it from answering.
    pub async fn run(&self, run: Run) -> Result<Value, Error> {
        if run.mode == Mode::Job {
            return Ok(Value::from(self.submit(run).await?.id()));
        }
        let deadline = run.timeout.map(|timeout| timeout.saturating_add(DEADLINE_GRACE));
        let request = run.into_run_request()?;
        let response = retrying(|| {
            let mut request = self.request(request.clone());
            if let Some(deadline) = deadline.filter(|deadline| *deadline <= MAX_DEADLINE) {
                request.set_timeout(deadline);
            }
            let mut stub = self.stub.clone();
            self.answer(async move { stub.run_plugin(request).await })
        });
        Ok(response.await?.result.map_or(Value::Null, json::from_value))
    }

    /// Runs an action and returns its result as a type of its own.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), and an [`Error::Execution`] when the result is not of that type.
    pub async fn run_as<T: DeserializeOwned>(&self, run: Run) -> Result<T, Error> {
        decode(self.run(run).await?)
    }

    /// Submits a job and returns once the service has recorded it. It goes on whatever becomes of the handle.
    ///
    /// # Errors
    ///
    /// Why the job cannot be started.
    pub async fn submit(&self, run: Run) -> Result<JobHandle, Error> {
        let submission = run.into_submission()?;
        let job_id = retrying(async || {
            let mut stub = self.stub.clone();
            let mut messages = self.answer(stub.submit_job(self.request(submission.clone()))).await?;
            while let Some(message) = messages
                .message()
                .await
                .map_err(|status| to_error(status, &self.address))?
            {
                if let Some(Update::Snapshot(job)) = message.update {
                    return Ok(job.job_id);
                }
            }
            Err(Error::cut("The stream ended before the job was known."))
        });
        Ok(self.job(job_id.await?))
    }

    /// The job with an id, whoever submitted it. Asks nothing of the service.
    #[must_use]
    pub fn job(&self, job_id: impl Into<String>) -> JobHandle {
        JobHandle::new(self.clone(), job_id.into())
    }

    /// The jobs that match, newest first, without their params and results.
    pub fn list_jobs(&self, filter: JobFilter) -> Feed<Job> {
        let client = self.clone();
        Feed::new(Pages::new(move |page_token| {
            let client = client.clone();
            let request = ListJobsRequest {
                page_token,
                filter: Some(filter.clone()),
                page_size: 0,
            };
            async move {
                let page = client
                    .call(
                        request,
                        |mut stub, request| async move { stub.list_jobs(request).await },
                    )
                    .await?;
                Ok((page.jobs, page.next_page_token))
            }
            .boxed()
        }))
    }

    /// The jobs that match, newest first, then each that changes, and the ids of those that no longer match. Never ends
    /// by itself, and goes on by itself when its stream is cut.
    pub fn watch_jobs(&self, filter: JobFilter) -> Feed<JobsUpdate> {
        let client = self.clone();
        let open = move || {
            let (client, request) = (
                client.clone(),
                WatchJobsRequest {
                    filter: Some(filter.clone()),
                },
            );
            async move {
                let mut stub = client.stub.clone();
                let messages = client.answer(stub.watch_jobs(client.request(request))).await?;
                Ok(client.messages(messages))
            }
            .boxed()
        };
        Feed::new(JobsWatch::new(open, self.options.clone()))
    }

    /// The plugins that the service has, sorted by code.
    pub fn list_plugins(&self) -> Feed<Plugin> {
        let client = self.clone();
        Feed::new(Pages::new(move |page_token| {
            let (client, request) = (
                client.clone(),
                ListPluginsRequest {
                    page_token,
                    page_size: 0,
                },
            );
            async move {
                let page = client
                    .call(
                        request,
                        |mut stub, request| async move { stub.list_plugins(request).await },
                    )
                    .await?;
                Ok((page.plugins, page.next_page_token))
            }
            .boxed()
        }))
    }

    /// One plugin, with all its actions and their schemas.
    ///
    /// # Errors
    ///
    /// Why there is no such plugin, or why it cannot be loaded.
    pub async fn get_plugin(&self, plugin: impl Into<String>) -> Result<Plugin, Error> {
        let request = GetPluginRequest { plugin: plugin.into() };
        let response = self.call(
            request,
            |mut stub, request| async move { stub.get_plugin(request).await },
        );
        present(response.await?.plugin)
    }

    /// Validates params as a run would, without running anything.
    ///
    /// # Errors
    ///
    /// Why there is nothing to validate them against. Violations are no error here.
    pub async fn validate(&self, run: Run) -> Result<Verdict, Error> {
        let request = run.into_validation()?;
        let response = self.call(request, |mut stub, request| async move {
            stub.validate_params(request).await
        });
        Ok(response.await?.into())
    }

    /// What the service is, and what it offers.
    ///
    /// # Errors
    ///
    /// What kept the service from answering.
    pub async fn server_info(&self) -> Result<GetServerInfoResponse, Error> {
        let request = GetServerInfoRequest {};
        self.call(request, |mut stub, request| async move {
            stub.get_server_info(request).await
        })
        .await
    }

    pub(crate) fn watch_job(&self, job_id: &str, after_sequence: i64) -> Feed<JobUpdate> {
        let (client, job_id) = (self.clone(), job_id.to_owned());
        let open = move |after_sequence| {
            let (client, request) = (
                client.clone(),
                WatchJobRequest {
                    job_id: job_id.clone(),
                    after_sequence,
                },
            );
            async move {
                let mut stub = client.stub.clone();
                let messages = client.answer(stub.watch_job(client.request(request))).await?;
                Ok(client.messages(messages))
            }
            .boxed()
        };
        Feed::new(JobWatch::new(open, after_sequence, self.options.clone()))
    }

    pub(crate) async fn get_job(&self, job_id: String) -> Result<Job, Error> {
        let request = GetJobRequest { job_id };
        let response = self.call(request, |mut stub, request| async move { stub.get_job(request).await });
        present(response.await?.job)
    }

    pub(crate) async fn cancel_job(&self, job_id: String) -> Result<Job, Error> {
        let request = CancelJobRequest { job_id };
        let response = self.call(
            request,
            |mut stub, request| async move { stub.cancel_job(request).await },
        );
        present(response.await?.job)
    }

    pub(crate) async fn delete_job(&self, job_id: String) -> Result<(), Error> {
        let request = DeleteJobRequest { job_id };
        self.call(
            request,
            |mut stub, request| async move { stub.delete_job(request).await },
        )
        .await?;
        Ok(())
    }

    /// Makes a call, and makes it again while the service does not take it.
    async fn call<Q: Clone, R, F>(&self, message: Q, send: impl Fn(Stub, Request<Q>) -> F) -> Result<R, Error>
    where
        F: Future<Output = Result<Response<R>, Status>>,
    {
        retrying(|| self.answer(send(self.stub.clone(), self.request(message.clone())))).await
    }

    fn request<Q>(&self, message: Q) -> Request<Q> {
        let mut request = Request::new(message);
        if let Some(token) = &self.token {
            request.metadata_mut().insert("authorization", token.clone());
        }
        request
    }

    async fn answer<R>(&self, call: impl Future<Output = Result<Response<R>, Status>>) -> Result<R, Error> {
        call.await
            .map(Response::into_inner)
            .map_err(|status| to_error(status, &self.address))
    }

    fn messages<M: Send + 'static>(&self, messages: Streaming<M>) -> BoxStream<'static, Result<M, Error>> {
        let address = self.address.clone();
        messages.map_err(move |status| to_error(status, &address)).boxed()
    }
}

/// A result as a type of the caller's.
pub(crate) fn decode<T: DeserializeOwned>(result: Value) -> Result<T, Error> {
    serde_json::from_value(result)
        .map_err(|error| Error::local(format!("The result is of another type than expected: {error}"), error))
}

/// A response always has its resource.
fn present<T>(resource: Option<T>) -> Result<T, Error> {
    resource.ok_or_else(|| Error::cut("The response is incomplete."))
}
