use std::time::Duration;

use futures_util::{FutureExt, TryStreamExt};
use serde::de::DeserializeOwned;

use crate::builder::ClientBuilder;
use crate::connection::{Connection, Stub};
use crate::error::Error;
use crate::feed::Feed;
use crate::job::JobHandle;
use crate::jobs_watch::{JobsUpdate, JobsWatch};
use crate::link::LinkOptions;
use crate::non_finite::Restore;
use crate::pages::Pages;
use crate::proto::submit_job_response::Update;
use crate::proto::{
    GetPluginRequest, GetServerInfoRequest, GetServerInfoResponse, Job, JobFilter, ListJobsRequest, ListPluginsRequest,
    Plugin, WatchJobsRequest,
};
use crate::retry::retrying;
use crate::run::{Mode, Run};
use crate::value::Value;
use crate::verdict::Verdict;

/// How much longer a call may take than its run, so that the service's own word about the timeout arrives.
const DEADLINE_GRACE: Duration = Duration::from_secs(5);

/// A connection to a service. Clones share it; it ends with the last of them.
///
/// Every call that the service has not taken is repeated a few times. Dropping the future of a call ends it, and with it
/// a run; a job goes on.
#[derive(Clone, Debug)]
pub struct Client {
    pub(crate) connection: Connection,
    pub(crate) options: LinkOptions,
}

impl Client {
    /// Where the service is: `Client::builder().address("runner:50151").connect()`.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    /// The address that calls go to.
    #[must_use]
    pub fn address(&self) -> &str {
        self.connection.address()
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
        let (told, subject) = (run.on_warning.clone(), run.subject());
        let limit = run.timeout.map(|timeout| timeout.saturating_add(DEADLINE_GRACE));
        let send = |mut stub: Stub, request| async move { stub.run_plugin(request).await };
        let mut response = self.connection.call_within(limit, run.into_run_request()?, send).await?;
        response.restore();
        told.tell(&subject, &response.warnings);
        Ok(response.result.into())
    }

    /// Runs an action and returns its result as a type of the caller's.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run), and an [`Error::Execution`] when the result is not of that type.
    pub async fn run_as<T: DeserializeOwned>(&self, run: Run) -> Result<T, Error> {
        self.run(run).await?.to()
    }

    /// Submits a job and returns once the service has recorded it. It goes on whatever becomes of the handle.
    ///
    /// # Errors
    ///
    /// Why the job cannot be started.
    pub async fn submit(&self, run: Run) -> Result<JobHandle, Error> {
        let (told, subject) = (run.on_warning.clone(), run.subject());
        let submission = run.into_submission()?;
        let send = |mut stub: Stub, request| async move { stub.submit_job(request).await };
        let job_id = retrying(|| async {
            let mut messages = self.connection.stream(submission.clone(), send).await?;
            while let Some(message) = messages.try_next().await? {
                if let Some(Update::Snapshot(job)) = message.update {
                    told.tell(&subject, &job.warnings);
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
        let connection = self.connection.clone();
        let request = ListJobsRequest { filter: Some(filter), ..ListJobsRequest::default() };
        Feed::new(Pages::new(move |page_token| {
            let connection = connection.clone();
            let request = ListJobsRequest { page_token, ..request.clone() };
            let send = |mut stub: Stub, request| async move { stub.list_jobs(request).await };
            async move {
                let mut page = connection.call(request, send).await?;
                page.jobs.iter_mut().for_each(Job::restore);
                Ok((page.jobs, page.next_page_token))
            }
            .boxed()
        }))
    }

    /// The jobs that match, newest first, then each that changes, and the ids of those that no longer match. Never ends
    /// by itself, and goes on by itself when its stream is cut.
    pub fn watch_jobs(&self, filter: JobFilter) -> Feed<JobsUpdate> {
        let connection = self.connection.clone();
        let request = WatchJobsRequest { filter: Some(filter) };
        let open = move || {
            let (connection, request) = (connection.clone(), request.clone());
            let send = |mut stub: Stub, request| async move { stub.watch_jobs(request).await };
            async move { connection.stream(request, send).await }.boxed()
        };
        Feed::new(JobsWatch::new(open, self.link_options()))
    }

    /// The plugins that the service has, sorted by code.
    pub fn list_plugins(&self) -> Feed<Plugin> {
        let connection = self.connection.clone();
        Feed::new(Pages::new(move |page_token| {
            let connection = connection.clone();
            let request = ListPluginsRequest { page_token, page_size: 0 };
            let send = |mut stub: Stub, request| async move { stub.list_plugins(request).await };
            async move {
                let page = connection.call(request, send).await?;
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
        let send = |mut stub: Stub, request| async move { stub.get_plugin(request).await };
        present(self.connection.call(request, send).await?.plugin)
    }

    /// Validates params as a run would, without running anything.
    ///
    /// # Errors
    ///
    /// Why there is nothing to validate them against. Violations are no error here.
    pub async fn validate(&self, run: Run) -> Result<Verdict, Error> {
        let send = |mut stub: Stub, request| async move { stub.validate_params(request).await };
        let response = self.connection.call(run.into_validation()?, send).await?;
        Ok(response.into())
    }

    /// What the service is, and what it offers.
    ///
    /// # Errors
    ///
    /// What kept the service from answering.
    pub async fn server_info(&self) -> Result<GetServerInfoResponse, Error> {
        let send = |mut stub: Stub, request| async move { stub.get_server_info(request).await };
        self.connection.call(GetServerInfoRequest {}, send).await
    }

    pub(crate) fn link_options(&self) -> LinkOptions {
        LinkOptions { connection: Some(self.connection.clone()), ..self.options.clone() }
    }
}

/// A response always has its resource.
pub(crate) fn present<T>(resource: Option<T>) -> Result<T, Error> {
    resource.ok_or_else(|| Error::cut("The response is incomplete."))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sendable<T: Send>(_: &T) {}

    #[tokio::test]
    async fn calls_can_be_spawned() {
        let client = Client::builder().connect().unwrap();
        let (run, job) = (Run::new("any", "any"), client.job("any"));
        sendable(&client.run(run.clone()));
        sendable(&client.submit(run.clone()));
        sendable(&client.validate(run));
        sendable(&client.server_info());
        sendable(&client.list_jobs(JobFilter::default()).try_next());
        sendable(&client.watch_jobs(JobFilter::default()).try_next());
        sendable(&job.result());
        sendable(&job.delete());
    }
}
