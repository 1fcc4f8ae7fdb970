use std::collections::HashMap;
use std::fs;
use std::time::Duration;

use plugin_runner_client::{Mode, Run};
use serde::Deserialize;
use serde_json::{Map, Value};

/// One of the cases that every client passes; the README beside them says what their fields mean.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub name: String,
    #[serde(rename = "do")]
    pub verb: Verb,
    #[serde(default)]
    pub target: Target,
    pub request: CaseRequest,
    #[serde(default)]
    pub again: CaseRequest,
    #[serde(default)]
    pub cut_after: Vec<i64>,
    #[serde(default)]
    pub silent_after: i64,
    #[serde(default)]
    pub after_sequence: i64,
    #[serde(default)]
    pub count: usize,
    pub expect: Expectation,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    Run,
    Submit,
    Job,
    RunJob,
    Validate,
    Get,
    Watch,
    Abort,
    Cancel,
    Delete,
    Attach,
    Resume,
    Silence,
    Leave,
    WatchFrom,
    List,
}

#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    #[default]
    Plain,
    Secure,
    SecureWithoutToken,
    SecureWithoutCa,
    Mutual,
    Reasons,
    Down,
    Silent,
    Leaving,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct CaseRequest {
    pub plugin: String,
    pub action: String,
    pub params: Map<String, Value>,
    pub mode: Option<String>,
    pub entrypoint: String,
    pub env: HashMap<String, String>,
    pub job_id: Option<String>,
    pub labels: HashMap<String, String>,
    pub timeout: Option<f64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    #[serde(default)]
    pub result: Value,
    pub contains: Option<Value>,
    pub error: Option<ExpectedError>,
    pub state: Option<String>,
    #[serde(default)]
    pub events: Vec<Value>,
    #[serde(default)]
    pub logs: Vec<Value>,
    pub valid: Option<bool>,
    pub params: Option<Map<String, Value>>,
    #[serde(default)]
    pub violations: Vec<Value>,
    pub same: Option<bool>,
    pub first_sequence: Option<i64>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ExpectedError {
    pub class: String,
    pub reason: String,
    pub code: String,
    #[serde(default)]
    pub message: String,
    #[serde(default)]
    pub metadata: HashMap<String, String>,
    pub violations: Option<Vec<Value>>,
    #[serde(default)]
    pub exception_type: String,
    #[serde(default)]
    pub stack: String,
    pub retry_after: Option<f64>,
}

impl CaseRequest {
    pub fn to_run(&self) -> Run {
        let mode = match self.mode.as_deref() {
            None | Some("local") => Mode::Local,
            Some("task") => Mode::Task,
            Some(other) => panic!("the case has a mode that this suite does not know: {other}"),
        };
        let mut run = Run::new(&self.plugin, &self.action).params(&self.params).mode(mode).entrypoint(&self.entrypoint);
        for (name, value) in &self.env {
            run = run.env(name, value);
        }
        for (name, value) in &self.labels {
            run = run.label(name, value);
        }
        if let Some(job_id) = &self.job_id {
            run = run.job_id(job_id);
        }
        if let Some(timeout) = self.timeout {
            run = run.timeout(Duration::from_secs_f64(timeout));
        }
        run
    }
}

/// Fails on a case that has what this suite does not know.
pub fn read_cases(file: &str) -> Vec<Case> {
    let text = fs::read_to_string(file).expect("the targets name the cases");
    let cases: Value = serde_json::from_str(&text).expect("the cases are JSON");
    serde_json::from_value(expand(cases)).expect("this suite knows all that the cases have")
}

/// Puts the text in the place of `{"$repeat": TEXT, "times": N}`.
fn expand(value: Value) -> Value {
    match value {
        Value::Object(fields) => match (fields.get("$repeat"), fields.get("times").and_then(Value::as_u64)) {
            (Some(Value::String(text)), Some(times)) => text.repeat(usize::try_from(times).unwrap()).into(),
            _ => fields.into_iter().map(|(name, value)| (name, expand(value))).collect::<Map<_, _>>().into(),
        },
        Value::Array(values) => values.into_iter().map(expand).collect(),
        other => other,
    }
}
