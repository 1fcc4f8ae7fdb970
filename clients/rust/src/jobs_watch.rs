use std::collections::{HashSet, VecDeque};
use std::mem;

use crate::error::Error;
use crate::feed::Source;
use crate::link::{Link, LinkOptions, Opening};
use crate::non_finite::Restore;
use crate::proto::watch_jobs_response::Update;
use crate::proto::{Job, WatchJobsResponse};

/// What a watch of many jobs yields.
#[derive(Clone, Debug, PartialEq)]
pub enum JobsUpdate {
    /// A job that matches, as it is. Without its params and its result.
    Snapshot(Box<Job>),
    /// The id of a job that was deleted, or that no longer matches.
    Removed(String),
}

/// The jobs that match a filter, then each that changes, without end.
pub(crate) struct JobsWatch {
    open: Box<dyn Fn() -> Opening<WatchJobsResponse> + Send + Sync>,
    link: Link<WatchJobsResponse>,
    known: HashSet<String>,
    /// Of those, what was not sent again since the stream was cut.
    unconfirmed: HashSet<String>,
    ready: VecDeque<JobsUpdate>,
}

impl JobsWatch {
    pub(crate) fn new(
        open: impl Fn() -> Opening<WatchJobsResponse> + Send + Sync + 'static,
        options: LinkOptions,
    ) -> Self {
        Self {
            open: Box::new(open),
            link: Link::new(options),
            known: HashSet::new(),
            unconfirmed: HashSet::new(),
            ready: VecDeque::new(),
        }
    }

    /// Takes what a message says, or fails when the stream is to be opened again.
    fn take(&mut self, message: WatchJobsResponse) -> Result<(), Error> {
        match message.update {
            Some(Update::Snapshot(job)) => self.take_snapshot(job),
            Some(Update::RemovedJobId(job_id)) => {
                self.link.progressed();
                self.remove(job_id);
            }
            Some(Update::Heartbeat(_)) => {
                self.link.progressed();
                // Everything there is has been sent again: what is missing went away while nobody listened.
                for job_id in mem::take(&mut self.unconfirmed) {
                    self.remove(job_id);
                }
            }
            Some(Update::Reconnect(_)) => return Err(Error::cut("The server is going away.")),
            None => {}
        }
        Ok(())
    }

    fn take_snapshot(&mut self, mut job: Box<Job>) {
        job.restore();
        self.unconfirmed.remove(&job.job_id);
        self.known.insert(job.job_id.clone());
        self.ready.push_back(JobsUpdate::Snapshot(job));
    }

    fn remove(&mut self, job_id: String) {
        if self.known.remove(&job_id) {
            self.ready.push_back(JobsUpdate::Removed(job_id));
        }
    }
}

impl Source for JobsWatch {
    type Item = JobsUpdate;

    async fn next(&mut self) -> Result<Option<JobsUpdate>, Error> {
        loop {
            if let Some(update) = self.ready.pop_front() {
                return Ok(Some(update));
            }
            let open = || {
                self.unconfirmed.clone_from(&self.known);
                (self.open)()
            };
            let taken = match self.link.receive(open).await? {
                Some(message) => self.take(message),
                None => Err(Error::cut("The stream ended early.")),
            };
            if let Err(cause) = taken {
                self.link.cut(cause).await?;
            }
        }
    }
}

#[cfg(test)]
mod tests;
