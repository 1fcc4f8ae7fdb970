use std::collections::VecDeque;

use crate::error::Error;
use crate::feed::Source;
use crate::link::{Link, LinkOptions, Opening};
use crate::non_finite::Restore;
use crate::proto::job_event::Payload;
use crate::proto::watch_job_response::Update;
use crate::proto::{Job, JobEvent, JobState, WatchJobResponse};

/// What a watch of one job yields: the job as it was first, then its events.
#[derive(Clone, Debug, PartialEq)]
pub enum JobUpdate {
    /// The job as it is. Always the first update, and only that.
    Snapshot(Box<Job>),
    /// The next event.
    Event(Box<JobEvent>),
}

/// One snapshot, then every event after a position, each once and in order, up to the job's last one.
pub(crate) struct JobWatch {
    open: Box<dyn Fn(i64) -> Opening<WatchJobResponse> + Send + Sync>,
    link: Link<WatchJobResponse>,
    /// The sequence of the last event that came.
    last: i64,
    /// The sequence of the job's last event, once the job has ended.
    end: Option<i64>,
    snapshot_sent: bool,
    ready: VecDeque<JobUpdate>,
    ended: bool,
}

impl JobWatch {
    /// `open` asks for the events after a sequence.
    pub(crate) fn new(
        open: impl Fn(i64) -> Opening<WatchJobResponse> + Send + Sync + 'static,
        after_sequence: i64,
        options: LinkOptions,
    ) -> Self {
        Self {
            open: Box::new(open),
            link: Link::new(options),
            last: after_sequence,
            end: None,
            snapshot_sent: false,
            ready: VecDeque::new(),
            ended: false,
        }
    }

    /// Takes what a message says, or fails when the stream is to be opened again.
    fn take(&mut self, message: WatchJobResponse) -> Result<(), Error> {
        match message.update {
            Some(Update::Snapshot(job)) => self.take_snapshot(job),
            Some(Update::Events(events)) => self.take_events(events.events)?,
            Some(Update::Reconnect(_)) => return Err(Error::cut("The server is going away.")),
            Some(Update::Heartbeat(_)) => self.link.progressed(),
            None => {}
        }
        Ok(())
    }

    fn take_snapshot(&mut self, mut job: Box<Job>) {
        job.restore();
        self.end = job.state().is_final().then_some(job.last_sequence);
        if !self.snapshot_sent {
            self.snapshot_sent = true;
            self.ready.push_back(JobUpdate::Snapshot(job));
        }
    }

    fn take_events(&mut self, events: Vec<JobEvent>) -> Result<(), Error> {
        for mut event in events {
            let expected = self.last + 1;
            if event.sequence < expected {
                continue;
            }
            if event.sequence > expected {
                let missing = format!("Events {expected} to {} are missing from the stream.", event.sequence - 1);
                return Err(Error::cut(missing));
            }
            self.link.progressed();
            event.restore();
            self.last = event.sequence;
            self.ended = event.is_last();
            self.ready.push_back(JobUpdate::Event(Box::new(event)));
        }
        Ok(())
    }

    fn is_complete(&self) -> bool {
        self.end.is_some_and(|end| self.last >= end)
    }
}

impl Source for JobWatch {
    type Item = JobUpdate;

    async fn next(&mut self) -> Result<Option<JobUpdate>, Error> {
        loop {
            if let Some(update) = self.ready.pop_front() {
                return Ok(Some(update));
            }
            if self.ended {
                return Ok(None);
            }
            let taken = match self.link.receive(|| (self.open)(self.last)).await? {
                Some(message) => self.take(message),
                None => Err(Error::cut("The stream ended early.")),
            };
            match taken {
                Ok(()) => {}
                Err(_) if self.is_complete() => self.ended = true,
                Err(cause) => self.link.cut(cause).await?,
            }
        }
    }
}

impl JobEvent {
    /// Whether the job has no event after this one.
    #[must_use]
    pub fn is_last(&self) -> bool {
        matches!(self.payload, Some(Payload::Result(_) | Payload::Error(_)))
    }
}

impl JobState {
    /// Whether a job stays in this state.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

#[cfg(test)]
mod tests;
