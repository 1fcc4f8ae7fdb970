use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;
use serde::de::DeserializeOwned;

use crate::client::{Client, present};
use crate::connection::Stub;
use crate::error::Error;
use crate::feed::Feed;
use crate::non_finite::Restore;
use crate::proto::job_event::Payload;
use crate::proto::{CancelJobRequest, DeleteJobRequest, GetJobRequest, Job, JobEvent, WatchJobRequest};
use crate::reason;
use crate::value::Value;
use crate::watch::{JobUpdate, JobWatch};

/// One job. It goes on whatever becomes of this handle.
#[derive(Clone, Debug)]
pub struct JobHandle {
    client: Client,
    id: String,
}

impl JobHandle {
    pub(crate) fn new(client: Client, id: String) -> Self {
        Self { client, id }
    }

    /// The job's id.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Every event of the job, from the first to the last; live once it has caught up. Goes on by itself when its stream
    /// is cut.
    pub fn events(&self) -> Feed<JobEvent> {
        self.watch().filter_map(|update| match update {
            JobUpdate::Event(event) => Some(*event),
            JobUpdate::Snapshot(_) => None,
        })
    }

    /// The job as it is, then its events as [`events`](Self::events) has them.
    pub fn watch(&self) -> Feed<JobUpdate> {
        self.watch_after(0)
    }

    /// The job as it is, then its events after the one with this sequence.
    pub fn watch_after(&self, sequence: i64) -> Feed<JobUpdate> {
        let connection = self.client.connection.clone();
        let job_id = self.id.clone();
        let open = move |after_sequence| {
            let connection = connection.clone();
            let request = WatchJobRequest { job_id: job_id.clone(), after_sequence };
            let send = |mut stub: Stub, request| async move { stub.watch_job(request).await };
            async move { connection.stream(request, send).await }.boxed()
        };
        Feed::new(JobWatch::new(open, sequence, self.client.link_options()))
    }

    /// Waits for the job's end and returns its result. Dropping the future ends the wait, not the job.
    ///
    /// # Errors
    ///
    /// What ended the job, or what kept the service from saying so.
    pub async fn result(&self) -> Result<Value, Error> {
        let job = self.get().await?;
        let ended = job.state().is_final();
        if let Some(error) = job.error {
            return Err(Error::of_job(&self.id, error));
        }
        if let Some(result) = job.result {
            return Ok(result.into());
        }
        // The record of a large job leaves the result out; the last event has it.
        let mut updates = self.watch_after(job.last_sequence - i64::from(ended));
        while let Some(update) = updates.try_next().await? {
            let JobUpdate::Event(event) = update else { continue };
            match event.payload {
                Some(Payload::Result(result)) => return Ok(result.value.into()),
                Some(Payload::Error(error)) => return Err(Error::of_job(&self.id, error)),
                _ => {}
            }
        }
        Err(Error::cut("The watch ended before the job did."))
    }

    /// Waits for the job's end and returns its result as a type of its own.
    ///
    /// # Errors
    ///
    /// As [`result`](Self::result), and an [`Error::Execution`] when the result is not of that type.
    pub async fn result_as<T: DeserializeOwned>(&self) -> Result<T, Error> {
        self.result().await?.to()
    }

    /// The job as it is, with its params and its result.
    ///
    /// # Errors
    ///
    /// An [`Error::Execution`] with the reason `JOB_NOT_FOUND` when there is no such job.
    pub async fn get(&self) -> Result<Job, Error> {
        let request = GetJobRequest { job_id: self.id.clone() };
        let send = |mut stub: Stub, request| async move { stub.get_job(request).await };
        restored(self.client.connection.call(request, send).await?.job)
    }

    /// Tells the job to stop, and returns it as it is then. One that has ended stays as it is.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub async fn cancel(&self) -> Result<Job, Error> {
        let request = CancelJobRequest { job_id: self.id.clone() };
        let send = |mut stub: Stub, request| async move { stub.cancel_job(request).await };
        restored(self.client.connection.call(request, send).await?.job)
    }

    /// Deletes the record, the events and the files of the job, which has to have ended.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get), or with the reason `JOB_NOT_FINISHED`.
    pub async fn delete(&self) -> Result<(), Error> {
        let request = DeleteJobRequest { job_id: self.id.clone() };
        let tries = AtomicUsize::new(0);
        let send = |mut stub: Stub, request| {
            tries.fetch_add(1, Ordering::Relaxed);
            async move { stub.delete_job(request).await }
        };
        deleted(self.client.connection.call(request, send).await, tries.load(Ordering::Relaxed))
    }
}

/// A job that a second try does not find was deleted by the first, whose answer was lost.
fn deleted<R>(outcome: Result<R, Error>, tries: usize) -> Result<(), Error> {
    match outcome {
        Err(error) if error.reason() == reason::JOB_NOT_FOUND && tries > 1 => Ok(()),
        outcome => outcome.map(|_| ()),
    }
}

fn restored(job: Option<Job>) -> Result<Job, Error> {
    let mut job = present(job)?;
    job.restore();
    Ok(job)
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;
    use crate::error::Details;

    #[test]
    fn a_deletion_whose_answer_was_lost_has_succeeded() {
        let missing = || Err::<(), _>(Error::from(Details::new(reason::JOB_NOT_FOUND, "", Code::NotFound)));
        assert!(deleted(missing(), 2).is_ok());
        assert!(deleted(missing(), 1).is_err());
        assert!(deleted(Err::<(), _>(Error::cut("gone")), 5).is_err());
    }
}
