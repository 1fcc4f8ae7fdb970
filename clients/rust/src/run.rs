use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use uuid::Uuid;

use crate::error::Error;
use crate::params::{Params, Refused};
use crate::proto::{FieldViolation, Resources, RunMode, RunPluginRequest, SubmitJobRequest, ValidateParamsRequest};

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

impl Mode {
    /// Its word, as the service says it of the modes that it has.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Task => "task",
            Self::Job => "job",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl FromStr for Mode {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self, Error> {
        let modes = [Self::Local, Self::Task, Self::Job];
        let known = modes.into_iter().find(|mode| mode.as_str() == word);
        known.ok_or_else(|| Error::request("/mode", format!("is {word:?}, not one of local, task, job")))
    }
}

/// What is told of that which an action does not use of its params.
#[derive(Clone, Default)]
pub(crate) struct OnWarning(Option<Told>);

type Told = Arc<dyn Fn(&FieldViolation) + Send + Sync>;

impl OnWarning {
    pub(crate) fn tell(&self, subject: &str, warnings: &[FieldViolation]) {
        for warning in warnings {
            match &self.0 {
                Some(tell) => tell(warning),
                None => log::warn!("{subject}: {} {}", warning.field, warning.description),
            }
        }
    }
}

impl fmt::Debug for OnWarning {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("OnWarning")
    }
}

/// What to run, and how: for [`Client::run`](crate::Client::run), [`submit`](crate::Client::submit) and
/// [`validate`](crate::Client::validate).
#[derive(Clone, Debug)]
#[must_use]
pub struct Run {
    plugin: String,
    action: String,
    params: Result<Params, Refused>,
    pub(crate) mode: Mode,
    entrypoint: String,
    env: HashMap<String, String>,
    labels: HashMap<String, String>,
    job_id: Option<String>,
    request_id: Option<String>,
    pub(crate) timeout: Option<Duration>,
    resources: Option<Resources>,
    pub(crate) on_warning: OnWarning,
}

impl Run {
    /// Runs an action of a plugin without params, in [`Mode::Local`].
    pub fn new(plugin: impl Into<String>, action: impl Into<String>) -> Self {
        Self {
            plugin: plugin.into(),
            action: action.into(),
            params: Ok(Params::default()),
            mode: Mode::default(),
            entrypoint: String::new(),
            env: HashMap::new(),
            labels: HashMap::new(),
            job_id: None,
            request_id: None,
            timeout: None,
            resources: None,
            on_warning: OnWarning::default(),
        }
    }

    /// The action's parameters: what serializes to an object. They arrive exactly, or the call fails with the pointer to
    /// what cannot: an integer beyond ±(2^53 − 1), for example. A float may be not a number or infinite; the macro
    /// `serde_json::json` makes null of such a one before this method sees it.
    pub fn params(mut self, params: impl Serialize) -> Self {
        self.params = Params::of(params);
        self
    }

    /// Told of what the action does not use of its params, for example of a name that its model does not know, before the
    /// call ends. By default a warning is logged, by the crate `log`.
    pub fn on_warning(mut self, tell: impl Fn(&FieldViolation) + Send + Sync + 'static) -> Self {
        self.on_warning = OnWarning(Some(Arc::new(tell)));
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

    /// What is run, in a few words.
    pub(crate) fn subject(&self) -> String {
        format!("{} {}", self.plugin, self.action)
    }

    pub(crate) fn into_run_request(self) -> Result<RunPluginRequest, Error> {
        let mode = if self.mode == Mode::Task { RunMode::Task } else { RunMode::Local };
        let Params { fields, non_finite } = accepted(self.params)?;
        Ok(RunPluginRequest {
            plugin: self.plugin,
            action: self.action,
            params: Some(fields),
            non_finite,
            mode: mode.into(),
            entrypoint: self.entrypoint,
            env: self.env,
            request_id: self.request_id.unwrap_or_else(new_id),
            job_id: self.job_id.unwrap_or_default(),
            timeout: self.timeout.map(to_duration).transpose()?,
            resources: self.resources,
        })
    }

    pub(crate) fn into_submission(self) -> Result<SubmitJobRequest, Error> {
        let Params { fields, non_finite } = accepted(self.params)?;
        Ok(SubmitJobRequest {
            plugin: self.plugin,
            action: self.action,
            params: Some(fields),
            non_finite,
            entrypoint: self.entrypoint,
            env: self.env,
            job_id: self.job_id.unwrap_or_else(new_id),
            labels: self.labels,
            timeout: self.timeout.map(to_duration).transpose()?,
            resources: self.resources,
        })
    }

    pub(crate) fn into_validation(self) -> Result<ValidateParamsRequest, Error> {
        let Params { fields, non_finite } = accepted(self.params)?;
        Ok(ValidateParamsRequest {
            plugin: self.plugin,
            action: self.action,
            params: Some(fields),
            non_finite,
            entrypoint: self.entrypoint,
            env: self.env,
        })
    }
}

fn accepted(params: Result<Params, Refused>) -> Result<Params, Error> {
    params.map_err(|refused| Error::request(refused.field, refused.description))
}

fn new_id() -> String {
    Uuid::new_v4().to_string()
}

/// The longest that a `google.protobuf.Duration` says: ten thousand years.
const MAX_SECONDS: i64 = 315_576_000_000;

#[expect(clippy::cast_possible_wrap, reason = "below a billion")]
fn to_duration(duration: Duration) -> Result<prost_types::Duration, Error> {
    match i64::try_from(duration.as_secs()) {
        Ok(seconds) if seconds < MAX_SECONDS => {
            Ok(prost_types::Duration { seconds, nanos: duration.subsec_nanos() as i32 })
        }
        _ => Err(Error::request("/timeout", "is longer than ten thousand years")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn params_that_are_no_object_are_refused_before_they_are_sent() {
        for params in [json!([1]), json!("text")] {
            let error = Run::new("any", "any").params(params).into_run_request().unwrap_err();
            assert!(matches!(error, Error::Validation(_)));
            assert_eq!(error.violations()[0].field, "/params");
            assert_eq!(error.to_string(), "REQUEST_INVALID: The request is invalid: /params must be an object.");
        }
        let keys = HashMap::from([(vec![1], 1)]);
        let error = Run::new("any", "any").params(keys).into_submission().unwrap_err();
        assert_eq!(error.reason(), "REQUEST_INVALID");
    }

    #[test]
    fn numbers_without_json_and_the_environment_go_with_every_request() {
        let run = Run::new("any", "any").params(HashMap::from([("x", f64::NAN)])).env("A", "b");
        assert_eq!(run.clone().into_run_request().unwrap().non_finite, ["/x"]);
        assert_eq!(run.clone().into_submission().unwrap().non_finite, ["/x"]);
        let validation = run.into_validation().unwrap();
        assert_eq!((validation.non_finite, validation.env["A"].as_str()), (vec!["/x".to_owned()], "b"));
    }

    #[test]
    fn a_mode_is_one_of_the_words_of_the_service() {
        for mode in [Mode::Local, Mode::Task, Mode::Job] {
            assert_eq!(mode.to_string().parse::<Mode>().unwrap(), mode);
        }
        assert_eq!("tsak".parse::<Mode>().unwrap_err().reason(), "REQUEST_INVALID");
    }

    #[test]
    fn a_timeout_that_no_message_says_is_refused() {
        let run = |seconds| Run::new("any", "any").timeout(Duration::from_secs(seconds));
        assert!(run(315_575_999_999).into_submission().is_ok());
        assert_eq!(run(u64::MAX).into_run_request().unwrap_err().violations()[0].field, "/timeout");
    }

    #[test]
    fn calls_have_ids_of_their_own() {
        let run = Run::new("any", "any");
        let ids = || run.clone().into_run_request().unwrap().request_id;
        assert_ne!(ids(), ids());
        assert_eq!(run.request_id("mine").into_run_request().unwrap().request_id, "mine");
    }
}
