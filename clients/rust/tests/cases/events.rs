use plugin_runner_client::{JobEvent, Payload, Value as Found, proto::LogSource};
use prost_types::Struct;
use serde_json::{Value, json};

use crate::expect::holds;

/// Every event once, in order; the last one, and only it, is a result or an error.
pub fn check_order(events: &[JobEvent]) {
    let sequences: Vec<i64> = events.iter().map(|event| event.sequence).collect();
    assert_eq!(sequences, (1..).take(events.len()).collect::<Vec<i64>>());
    let last = events.iter().position(JobEvent::is_last);
    assert_eq!(last, events.len().checked_sub(1), "only the last event ends the job");
}

/// The expected events are among the job's, in this order.
pub fn check_events(events: &[JobEvent], expected: &[Value]) {
    let found: Vec<Value> = events.iter().map(to_json).collect();
    let mut rest = found.iter();
    for one in expected {
        assert!(rest.any(|event| holds(event, one)), "{one} is not, or not there, among {found:?}");
    }
}

/// The expected lines are among the job's, in any order.
pub fn check_logs(events: &[JobEvent], expected: &[Value]) {
    let found: Vec<Value> = events.iter().map(to_json).collect();
    for line in expected {
        let one = json!({ "log": line });
        assert!(found.iter().any(|event| holds(event, &one)), "{line} is not among {found:?}");
    }
}

/// What an event says, with the names of the protocol.
fn to_json(event: &JobEvent) -> Value {
    match event.payload.clone() {
        Some(Payload::Progress(progress)) => json!({ "progress": {
            "step": progress.step,
            "current": progress.current,
            "total": progress.total,
            "message": progress.message,
        } }),
        Some(Payload::Metrics(metrics)) => json!({ "metrics": {
            "step": metrics.step,
            "values": object(metrics.values),
        } }),
        Some(Payload::Artifact(artifact)) => json!({ "artifact": {
            "name": artifact.name,
            "uri": artifact.uri,
            "media_type": artifact.media_type,
            "size_bytes": artifact.size_bytes,
            "sha256": artifact.sha256,
            "metadata": object(artifact.metadata),
        } }),
        Some(Payload::Log(log)) => json!({ "log": {
            "source": name_of(log.source()),
            "level": log.level,
            "message": log.message,
        } }),
        _ => json!({}),
    }
}

fn object(fields: Option<Struct>) -> Value {
    in_words(&Found::from(fields.unwrap_or_default()))
}

/// As JSON, with the words for numbers that it has none for.
fn in_words(value: &Found) -> Value {
    match value {
        Found::Object(members) => members.iter().map(|(name, member)| (name.clone(), in_words(member))).collect(),
        Found::List(items) => items.iter().map(in_words).collect(),
        Found::Number(number) if !number.is_finite() => value.to_string().into(),
        other => other.clone().to().expect("it is JSON"),
    }
}

fn name_of(source: LogSource) -> &'static str {
    source.as_str_name().trim_start_matches("LOG_SOURCE_")
}
