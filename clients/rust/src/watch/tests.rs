use std::time::Duration;

use tokio::time::{Instant, sleep};
use tonic::Code;

use super::*;
use crate::error::Details;
use crate::feed::Feed;
use crate::proto::{Heartbeat, JobEvents, JobProgress, JobResult, Reconnect};
use crate::script::{End, Script, options};

fn message(update: Update) -> WatchJobResponse {
    WatchJobResponse { update: Some(update) }
}

fn snapshot(state: JobState, last_sequence: i64) -> WatchJobResponse {
    message(Update::Snapshot(Box::new(Job { state: state.into(), last_sequence, ..Job::default() })))
}

fn running() -> WatchJobResponse {
    snapshot(JobState::Running, 0)
}

fn progress(sequences: impl IntoIterator<Item = i64>) -> WatchJobResponse {
    let payload = Some(Payload::Progress(JobProgress::default()));
    let event = |sequence| JobEvent { sequence, payload: payload.clone(), ..JobEvent::default() };
    message(Update::Events(JobEvents { events: sequences.into_iter().map(event).collect() }))
}

fn result(sequence: i64) -> WatchJobResponse {
    let payload = Some(Payload::Result(JobResult::default()));
    message(Update::Events(JobEvents { events: vec![JobEvent { sequence, payload, ..JobEvent::default() }] }))
}

fn watch(script: &Script<WatchJobResponse>) -> Feed<JobUpdate> {
    let script = script.clone();
    Feed::new(JobWatch::new(move |after| script.open(after), 0, options()))
}

/// The sequences of the events that a watch yields after its snapshot.
async fn sequences(script: &Script<WatchJobResponse>) -> Result<Vec<i64>, Error> {
    let updates: Vec<_> = watch(script).try_collect().await?;
    let mut updates = updates.into_iter();
    assert!(matches!(updates.next(), Some(JobUpdate::Snapshot(_))), "a watch starts with a snapshot");
    let sequence = |update| match update {
        JobUpdate::Event(event) => event.sequence,
        JobUpdate::Snapshot(_) => panic!("a watch has one snapshot"),
    };
    Ok(updates.map(sequence).collect())
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_was_cut_is_opened_after_the_last_event() {
    let overloaded = Details::new("OVERLOADED", "", Code::ResourceExhausted);
    for end in [End::Closes, End::Fails(Error::cut("gone")), End::Fails(overloaded.into()), End::Hangs] {
        let script = Script::new([
            (vec![running(), progress([1, 2])], end),
            (vec![running(), progress([2, 3]), result(4)], End::Hangs),
        ]);
        assert_eq!(sequences(&script).await.unwrap(), [1, 2, 3, 4]);
        assert_eq!(script.opened(), [0, 2]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_opened_again_when_the_server_says_so() {
    let leave = message(Update::Reconnect(Reconnect { after_sequence: 1 }));
    let script =
        Script::new([(vec![running(), progress([1]), leave], End::Hangs), (vec![running(), result(2)], End::Closes)]);
    assert_eq!(sequences(&script).await.unwrap(), [1, 2]);
    assert_eq!(script.opened(), [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_opened_again_at_a_gap() {
    let script = Script::new([
        (vec![running(), progress([1]), progress([3])], End::Hangs),
        (vec![running(), progress([2, 3]), result(4)], End::Closes),
    ]);
    assert_eq!(sequences(&script).await.unwrap(), [1, 2, 3, 4]);
    assert_eq!(script.opened(), [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn the_time_that_the_consumer_takes_is_no_silence() {
    let script = Script::new([(vec![running(), progress([1]), result(2)], End::Closes)]);
    let mut watch = watch(&script);
    while watch.try_next().await.unwrap().is_some() {
        sleep(Duration::from_secs(3600)).await;
    }
    assert_eq!(script.opened(), [0]);
}

#[tokio::test(start_paused = true)]
async fn the_time_that_the_consumer_takes_does_not_give_a_lost_server_up() {
    let script =
        Script::new([(vec![running(), progress([1])], End::Closes), (vec![running(), result(2)], End::Closes)]);
    let mut watch = watch(&script);
    while watch.try_next().await.unwrap().is_some() {
        sleep(Duration::from_secs(3600)).await;
    }
    assert_eq!(script.opened(), [0, 1]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_answered_is_given_up_after_five_tries() {
    let script = Script::new([]);
    assert_eq!(sequences(&script).await.unwrap_err().reason(), "UNAVAILABLE");
    assert_eq!(script.opened(), [0; 5]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_was_lost_is_given_up_after_ten_minutes() {
    let start = Instant::now();
    let script = Script::new([(vec![running(), progress([1])], End::Closes)]);
    assert_eq!(sequences(&script).await.unwrap_err().reason(), "UNAVAILABLE");
    let minutes = start.elapsed().as_secs_f64() / 60.0;
    assert!((10.0..10.2).contains(&minutes), "{minutes} minutes");
}

#[tokio::test(start_paused = true)]
async fn an_event_or_a_heartbeat_makes_the_waits_short_again() {
    let alive = || message(Update::Heartbeat(Heartbeat::default()));
    let start = Instant::now();
    let cut = (0..100).map(|_| (vec![running(), alive()], End::Closes));
    let script = Script::new(cut.chain([(vec![running(), result(1)], End::Closes)]));
    assert_eq!(sequences(&script).await.unwrap(), [1]);
    assert!(start.elapsed() <= Duration::from_secs(11), "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn no_stream_is_opened_before_the_time_that_the_service_names() {
    let retry_after = Some(Duration::from_secs(7));
    let overloaded = Details { retry_after, ..Details::new("OVERLOADED", "", Code::ResourceExhausted) };
    let start = Instant::now();
    let script = Script::new([(vec![], End::Fails(overloaded.into())), (vec![running(), result(1)], End::Closes)]);
    assert_eq!(sequences(&script).await.unwrap(), [1]);
    assert!(start.elapsed() >= Duration::from_secs(7));
}

#[tokio::test(start_paused = true)]
async fn an_error_that_is_no_cut_ends_the_watch() {
    let not_found = Details::new("JOB_NOT_FOUND", "", Code::NotFound);
    let script = Script::new([(vec![], End::Fails(not_found.into()))]);
    let mut watch = watch(&script);
    assert_eq!(watch.try_next().await.unwrap_err().reason(), "JOB_NOT_FOUND");
    assert!(watch.try_next().await.unwrap().is_none());
    assert_eq!(script.opened(), [0]);
}

#[tokio::test(start_paused = true)]
async fn a_job_that_has_ended_may_have_no_further_event() {
    let script = Script::new([(vec![snapshot(JobState::Succeeded, 4)], End::Closes)]);
    let opened = script.clone();
    let updates: Vec<_> =
        Feed::new(JobWatch::new(move |after| opened.open(after), 4, options())).try_collect().await.unwrap();
    assert_eq!(updates.len(), 1);
    assert_eq!(script.opened(), [4]);
}
