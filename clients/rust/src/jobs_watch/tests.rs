use super::*;
use crate::feed::Feed;
use crate::proto::{Heartbeat, Reconnect};
use crate::script::{End, Script, options};

fn message(update: Update) -> WatchJobsResponse {
    WatchJobsResponse { update: Some(update) }
}

fn job(job_id: &str) -> WatchJobsResponse {
    message(Update::Snapshot(Box::new(Job { job_id: job_id.to_owned(), ..Job::default() })))
}

fn removed(job_id: &str) -> WatchJobsResponse {
    message(Update::RemovedJobId(job_id.to_owned()))
}

fn heartbeat() -> WatchJobsResponse {
    message(Update::Heartbeat(Heartbeat::default()))
}

/// What a watch yields: ids, with a minus before those of jobs that are gone.
async fn yielded(streams: Vec<Vec<WatchJobsResponse>>, count: usize) -> Vec<String> {
    let script = Script::new(streams.into_iter().map(|messages| (messages, End::Closes)));
    let mut watch = Feed::new(JobsWatch::new(move || script.open(0), options()));
    let mut ids = Vec::new();
    while ids.len() < count {
        ids.push(match watch.try_next().await.unwrap().unwrap() {
            JobsUpdate::Snapshot(job) => job.job_id,
            JobsUpdate::Removed(job_id) => format!("-{job_id}"),
        });
    }
    ids
}

#[tokio::test(start_paused = true)]
async fn what_is_not_sent_again_after_a_cut_is_gone() {
    let leave = message(Update::Reconnect(Reconnect::default()));
    let streams = vec![
        vec![job("a"), job("b"), heartbeat(), leave],
        vec![job("b")],
        vec![job("b"), job("c"), heartbeat(), heartbeat(), job("d")],
    ];
    assert_eq!(yielded(streams, 7).await, ["a", "b", "b", "b", "c", "-a", "d"]);
}

#[tokio::test(start_paused = true)]
async fn a_job_is_removed_once() {
    let streams = vec![
        vec![removed("never seen"), job("a"), heartbeat(), removed("a"), removed("a")],
        vec![heartbeat(), job("b")],
    ];
    assert_eq!(yielded(streams, 3).await, ["a", "-a", "b"]);
}
