use std::collections::HashMap;
use std::time::Duration;

use prost_types::Struct;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::error::Error;
use crate::json;
use crate::proto::{Resources, RunMode, RunPluginRequest, SubmitJobRequest, ValidateParamsRequest};

/// Where a run takes place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Mode {
    /// JavaScript in the service's own process, Python in one worker that stays.
    #[default]
    Local,
    /// On a pool of warm workers.
    Task,
    /// As a job, which outlives the call.
    Job,
}

/// What to run, and how: for [`Client::run`](crate::Client::run), [`submit`](crate::Client::submit) and
/// [`validate`](crate::Client::validate).
#[derive(Clone, Debug)]
#[must_use]
pub struct Run {
    plugin: String,
    action: String,
    params: Result<Struct, String>,
    pub(crate) mode: Mode,
    entrypoint: String,
    env: HashMap<String, String>,
    labels: HashMap<String, String>,
    job_id: Option<String>,
    request_id: Option<String>,
    pub(crate) timeout: Option<Duration>,
    resources: Option<Resources>,
}

impl Run {
    /// Runs an action of a plugin without params, in [`Mode::Local`].
    pub fn new(plugin: impl Into<String>, action: impl Into<String>) -> Self {
        Self {
            plugin: plugin.into(),
            action: action.into(),
            params: Ok(Struct::default()),
            mode: Mode::default(),
            entrypoint: String::new(),
            env: HashMap::new(),
            labels: HashMap::new(),
            job_id: None,
            request_id: None,
            timeout: None,
            resources: None,
        }
    }

    /// The action's parameters: a JSON object, or what serializes to one. Numbers have the precision of a double.
    pub fn params(mut self, params: impl Serialize) -> Self {
        self.params = match serde_json::to_value(params) {
            Ok(Value::Object(fields)) => Ok(json::to_struct(fields)),
            Ok(_) => Err("must be object".to_owned()),
            Err(error) => Err(format!("cannot be JSON: {error}")),
        };
        self
    }

    /// Where to run it. Without meaning for `submit`, which makes a job of it.
    pub fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// Names the code and skips discovery: `package.module:Class` or `./file.js#name`.
    pub fn entrypoint(mut self, entrypoint: impl Into<String>) -> Self {
        self.entrypoint = entrypoint.into();
        self
    }

    /// Sets an environment variable of the action.
    pub fn env(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.env.insert(name.into(), value.into());
        self
    }

    /// Marks the job, to filter by.
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.labels.insert(name.into(), value.into());
        self
    }

    /// An id for tracking. A job has one of its own by default; a second submission with the same id and content attaches
    /// to the first.
    pub fn job_id(mut self, job_id: impl Into<String>) -> Self {
        self.job_id = Some(job_id.into());
        self
    }

    /// Runs with the same id are one run. By default each call has its own, so that its retries are one run.
    pub fn request_id(mut self, request_id: impl Into<String>) -> Self {
        self.request_id = Some(request_id.into());
        self
    }

    /// The longest time that the action may take. By default as its configuration says.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// What the action needs of the machine. By default as its configuration says.
    pub fn resources(mut self, resources: Resources) -> Self {
        self.resources = Some(resources);
        self
    }

    pub(crate) fn into_run_request(self) -> Result<RunPluginRequest, Error> {
        let mode = if self.mode == Mode::Task { RunMode::Task } else { RunMode::Local };
        Ok(RunPluginRequest {
            plugin: self.plugin,
            action: self.action,
            params: Some(self.params.map_err(Error::params)?),
            mode: mode.into(),
            entrypoint: self.entrypoint,
            env: self.env,
            request_id: self.request_id.unwrap_or_else(new_id),
            job_id: self.job_id.unwrap_or_default(),
            timeout: self.timeout.map(to_duration),
            resources: self.resources,
        })
    }

    pub(crate) fn into_submission(self) -> Result<SubmitJobRequest, Error> {
        Ok(SubmitJobRequest {
            plugin: self.plugin,
            action: self.action,
            params: Some(self.params.map_err(Error::params)?),
            entrypoint: self.entrypoint,
            env: self.env,
            job_id: self.job_id.unwrap_or_else(new_id),
            labels: self.labels,
            timeout: self.timeout.map(to_duration),
            resources: self.resources,
        })
    }

    pub(crate) fn into_validation(self) -> Result<ValidateParamsRequest, Error> {
        Ok(ValidateParamsRequest {
            plugin: self.plugin,
            action: self.action,
            params: Some(self.params.map_err(Error::params)?),
            entrypoint: self.entrypoint,
        })
    }
}

fn new_id() -> String {
    Uuid::new_v4().to_string()
}

#[expect(clippy::cast_possible_wrap, reason = "below a billion")]
fn to_duration(duration: Duration) -> prost_types::Duration {
    let seconds = i64::try_from(duration.as_secs()).unwrap_or(i64::MAX);
    prost_types::Duration { seconds, nanos: duration.subsec_nanos() as i32 }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn params_that_are_no_object_are_refused_before_they_are_sent() {
        for params in [json!([1]), json!("text"), json!(null)] {
            let error = Run::new("any", "any").params(params).into_run_request().unwrap_err();
            assert!(matches!(error, Error::Validation(_)));
            assert_eq!(error.violations()[0].field, "/params");
        }
        let keys = HashMap::from([(vec![1], 1)]);
        let error = Run::new("any", "any").params(keys).into_submission().unwrap_err();
        assert_eq!(error.reason(), "PARAMS_INVALID");
    }

    #[test]
    fn calls_have_ids_of_their_own() {
        let run = Run::new("any", "any");
        let ids = || run.clone().into_run_request().unwrap().request_id;
        assert_ne!(ids(), ids());
        assert_eq!(run.request_id("mine").into_run_request().unwrap().request_id, "mine");
    }
}
