use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join;
use plugin_runner_client::{Client, Error, Job, JobEvent, JobFilter, JobHandle, JobUpdate, Mode, Payload, Run, Value};
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::sleep;
use uuid::Uuid;

use crate::case::{Case, Verb};
use crate::events::{check_events, check_logs, check_order};
use crate::expect::{check_violations, fails, settles};
use crate::targets::{Leaving, Proxy, Targets};

/// Runs one case. Panics when it does not hold.
pub async fn run(case: &Case, targets: &Targets) {
    let client = targets.client(case.target);
    match case.verb {
        Verb::Run => settles(client.run(case.request.to_run()).await, &case.expect),
        Verb::Submit => settles(submit(case, &client).await.map(|job| job.id().into()), &case.expect),
        Verb::Job => job(case, &client).await,
        Verb::RunJob => run_job(case, &client).await,
        Verb::Validate => validate(case, &client).await,
        Verb::Get => settles(named(case, &client).get().await.map(|job| job.job_id.into()), &case.expect),
        Verb::Watch => settles(watched(&named(case, &client)).await, &case.expect),
        Verb::Abort => abort(case, &client).await,
        Verb::Cancel => cancel(case, &client).await,
        Verb::Delete => delete(case, &client).await,
        Verb::Attach => attach(case, &client).await,
        Verb::Resume => resume(case, &client, &targets.proxy).await,
        Verb::Silence => silence(case, targets).await,
        Verb::Leave => leave(case, &client, &targets.leaving).await,
        Verb::WatchFrom => watch_from(case, &client).await,
        Verb::List => list(case, &client).await,
    }
}

async fn job(case: &Case, client: &Client) {
    let job = submit(case, client).await.unwrap();
    let events: Vec<JobEvent> = job.events().try_collect().await.unwrap();
    check_order(&events);
    check_events(&events, &case.expect.events);
    check_logs(&events, &case.expect.logs);
    settles(job.result().await, &case.expect);
    assert_eq!(state_of(&job).await, case.expect.state);
}

async fn run_job(case: &Case, client: &Client) {
    let id = new_id();
    let run = case.request.to_run().mode(Mode::Job).job_id(&id);
    assert_eq!(client.run(run).await.unwrap(), Value::from(id.as_str()));
    let job = client.job(id);
    assert_eq!(job.get().await.unwrap().end_time, None);
    job.cancel().await.unwrap();
}

async fn validate(case: &Case, client: &Client) {
    let verdict = client.validate(case.request.to_run()).await.unwrap();
    assert_eq!(case.expect.valid, Some(verdict.valid));
    if let Some(expected) = &case.expect.params {
        assert_eq!(&verdict.params.to::<serde_json::Map<_, _>>().unwrap(), expected);
    }
    check_violations(&verdict.violations, &case.expect.violations);
}

async fn abort(case: &Case, client: &Client) {
    let (client, run) = (client.clone(), case.request.to_run());
    let call = tokio::spawn(async move { client.run(run).await });
    sleep(Duration::from_millis(300)).await;
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
}

async fn cancel(case: &Case, client: &Client) {
    let job = submit(case, client).await.unwrap();
    progressed(&job).await;
    job.cancel().await.unwrap();
    settles(job.result().await, &case.expect);
    assert_eq!(state_of(&job).await, case.expect.state);
}

async fn delete(case: &Case, client: &Client) {
    let job = submit(case, client).await.unwrap();
    progressed(&job).await;
    settles(job.delete().await.map(|()| Value::Null), &case.expect);
    job.cancel().await.unwrap();
    watched(&job).await.unwrap();
    job.delete().await.unwrap();
    assert_eq!(job.get().await.unwrap_err().reason(), "JOB_NOT_FOUND");
}

async fn attach(case: &Case, client: &Client) {
    let id = new_id();
    client.submit(case.request.to_run().job_id(&id)).await.unwrap();
    let second = client.submit(case.again.to_run().job_id(&id)).await;
    match &case.expect.error {
        Some(expected) => fails(second, expected),
        None => assert_eq!(Some(second.unwrap().id() == id), case.expect.same),
    }
}

async fn resume(case: &Case, client: &Client, proxy: &Proxy) {
    let cuts = Arc::new(AtomicUsize::new(0));
    let counted = cuts.clone();
    let proxied = Client::builder().address(&proxy.address).on_retry(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    let job = submit(case, client).await.unwrap();
    let mut watch = proxied.connect().unwrap().job(job.id()).events();
    let mut events = Vec::new();
    while let Some(event) = watch.try_next().await.unwrap() {
        if case.cut_after.contains(&event.sequence) {
            connect_until_closed(&proxy.cut).await;
        }
        events.push(event);
    }
    check_order(&events);
    let cuts = cuts.load(Ordering::Relaxed);
    // What is left may come in one message, so that a later cut finds nothing to cut.
    assert!(cuts > 0, "the stream was not cut");
    settles(job.result().await, &case.expect);
}

async fn silence(case: &Case, targets: &Targets) {
    let cuts = Arc::new(AtomicUsize::new(0));
    let counted = cuts.clone();
    let counting = targets.builder(case.target).on_retry(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
    });
    let client = counting.connect().unwrap();
    let mut watch = submit(case, &client).await.unwrap().events();
    let mut events = Vec::new();
    while let Some(event) = watch.try_next().await.unwrap() {
        if event.sequence == case.silent_after {
            connect_until_closed(&targets.silent.silence).await;
        }
        events.push(event);
    }
    check_order(&events);
    check_events(&events, &case.expect.events);
    let cuts = cuts.load(Ordering::Relaxed);
    assert!(cuts > 0, "the stream was not silent");
}

async fn leave(case: &Case, client: &Client, leaving: &Leaving) {
    let params = json!({ "mark": new_id() });
    let marked = |action: &str| Run::new(&case.request.plugin, action).params(&params);
    let run = client.run(marked(&case.request.action));
    let (left, ()) = join(run, connect_until_closed(&leaving.leave)).await;
    settles(left, &case.expect);
    assert_eq!(client.run(marked("starts")).await.unwrap(), Value::from(1));
}

async fn connect_until_closed(address: &str) {
    let mut connection = TcpStream::connect(address).await.unwrap();
    connection.read_to_end(&mut Vec::new()).await.unwrap();
}

async fn watch_from(case: &Case, client: &Client) {
    let job = submit(case, client).await.unwrap();
    job.result().await.unwrap();
    let updates: Result<Vec<JobUpdate>, Error> = job.watch_after(case.after_sequence).try_collect().await;
    if let Some(expected) = &case.expect.error {
        return fails(updates, expected);
    }
    let first = updates.unwrap().into_iter().find_map(|update| match update {
        JobUpdate::Event(event) => Some(event.sequence),
        JobUpdate::Snapshot(_) => None,
    });
    assert_eq!(first, case.expect.first_sequence);
}

async fn list(case: &Case, client: &Client) {
    let label = new_id();
    let mut ids = Vec::new();
    for _ in 0..case.count {
        let run = case.request.to_run().label("case", &label);
        ids.insert(0, client.submit(run).await.unwrap().id().to_owned());
    }
    let filter = JobFilter { labels: [("case".to_owned(), label)].into(), ..JobFilter::default() };
    let jobs: Vec<Job> = client.list_jobs(filter).try_collect().await.unwrap();
    assert_eq!(jobs.into_iter().map(|job| job.job_id).collect::<Vec<_>>(), ids);
}

async fn submit(case: &Case, client: &Client) -> Result<JobHandle, Error> {
    client.submit(case.request.to_run()).await
}

fn named(case: &Case, client: &Client) -> JobHandle {
    client.job(case.request.job_id.as_deref().expect("the case names a job"))
}

/// Reads every event of a job.
async fn watched(job: &JobHandle) -> Result<Value, Error> {
    let events: Vec<JobEvent> = job.events().try_collect().await?;
    Ok(Value::from(events.len().to_string()))
}

async fn progressed(job: &JobHandle) {
    let mut events = job.events();
    while let Some(event) = events.try_next().await.unwrap() {
        if matches!(event.payload, Some(Payload::Progress(_))) {
            return;
        }
    }
    panic!("the job has ended without progress");
}

async fn state_of(job: &JobHandle) -> Option<String> {
    let state = job.get().await.unwrap().state();
    state.as_str_name().strip_prefix("JOB_STATE_").map(str::to_owned)
}

fn new_id() -> String {
    Uuid::new_v4().to_string()
}
