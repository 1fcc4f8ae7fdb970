use std::collections::HashMap;
use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use tonic::Code;

use crate::non_finite::Restore;
use crate::proto::{FieldViolation, JobError};
use crate::value::Value;

/// What went wrong: of a call, or of a job that failed.
///
/// It prints its reason and its message; its `Debug` form, which a `main` that fails prints, has the plugin's stack as well.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such plugin, or it has no such action. The metadata names what there is.
    #[error(transparent)]
    ActionNotFound(Box<Details>),

    /// The params do not satisfy the action's schema, or the request is malformed. The violations are every fault.
    #[error(transparent)]
    Validation(Box<Details>),

    /// Everything else: the action failed, was cancelled, could not be loaded, or the service could not be reached.
    #[error(transparent)]
    Execution(Box<Details>),
}

/// What an [`Error`] carries.
#[derive(Debug, thiserror::Error)]
#[error("{reason}: {message}")]
#[non_exhaustive]
pub struct Details {
    /// The stable word for what went wrong, as the service documents them; `UNAVAILABLE` where no service answered.
    pub reason: String,
    /// What happened, for a person.
    pub message: String,
    /// The gRPC status; [`Code::Unknown`] for what ended a job.
    pub code: Code,
    /// Every variable of the message.
    pub metadata: HashMap<String, String>,
    /// Every fault of the params or of the request.
    pub violations: Vec<FieldViolation>,
    /// The type of the exception that the action raised; empty for other reasons.
    pub exception_type: String,
    /// The plugin's own stack; empty when the action raised nothing.
    pub stack: String,
    /// When another try may succeed, if the service says so.
    pub retry_after: Option<Duration>,
    /// What can be carried of the action's return value, when the reason is `RESULT_INVALID`: null stands where something
    /// cannot.
    pub partial_result: Option<Value>,
    /// What this error was made of: the plugin's stack, or a fault on this side of the connection.
    pub source: Option<Box<dyn StdError + Send + Sync>>,
    pub(crate) again: Again,
}

/// Whether what failed may be tried again by this client.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Again {
    /// As its code and its reason say.
    #[default]
    Maybe,
    /// Only to find a server again that had answered: nobody else would have come by now.
    WhenLost,
    /// Never: it would fail in the same way.
    Never,
}

/// The plugin's own stack, as what an error comes from.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct PluginStack(String);

impl Error {
    /// All that the error carries.
    #[must_use]
    pub fn details(&self) -> &Details {
        let (Self::ActionNotFound(details) | Self::Validation(details) | Self::Execution(details)) = self;
        details
    }

    /// The stable word for what went wrong, for example `ACTION_FAILED`.
    #[must_use]
    pub fn reason(&self) -> &str {
        &self.details().reason
    }

    /// The gRPC status.
    #[must_use]
    pub fn code(&self) -> Code {
        self.details().code
    }

    /// Every variable of the message.
    #[must_use]
    pub fn metadata(&self) -> &HashMap<String, String> {
        &self.details().metadata
    }

    /// Every fault of the params or of the request.
    #[must_use]
    pub fn violations(&self) -> &[FieldViolation] {
        &self.details().violations
    }

    /// The type of the exception that the action raised; empty for other reasons.
    #[must_use]
    pub fn exception_type(&self) -> &str {
        &self.details().exception_type
    }

    /// The plugin's own stack; empty when the action raised nothing.
    #[must_use]
    pub fn stack(&self) -> &str {
        &self.details().stack
    }

    /// When another try may succeed, if the service says so.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.details().retry_after
    }

    /// What can be carried of the action's return value, when the reason is `RESULT_INVALID`.
    #[must_use]
    pub fn partial_result(&self) -> Option<&Value> {
        self.details().partial_result.as_ref()
    }

    pub(crate) fn again(&self) -> Again {
        self.details().again
    }

    /// The error that ended a job, of the same classes as those of a failed call.
    pub(crate) fn of_job(job_id: &str, mut error: JobError) -> Self {
        error.restore();
        let mut metadata = error.metadata;
        metadata.remove("exception_type");
        metadata.entry("job_id".to_owned()).or_insert_with(|| job_id.to_owned());
        let details = Details::new(error.reason, error.message, Code::Unknown);
        Self::from(Details {
            metadata,
            violations: error.violations,
            exception_type: error.exception_type,
            stack: error.stack,
            partial_result: error.partial_result.map(Value::from),
            ..details
        })
    }

    /// A stream that was cut, by the connection, a proxy or this client: worth another try.
    pub(crate) fn cut(message: impl Into<String>) -> Self {
        Self::from(Details::new("UNAVAILABLE", message, Code::Unavailable))
    }

    /// A fault on this side of the connection.
    pub(crate) fn local(message: impl Into<String>, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        let details = Details::new("INTERNAL", message, Code::Internal);
        Self::from(Details { source: Some(source.into()), again: Again::Never, ..details })
    }

    /// What was asked for cannot be sent: a field of the request, or a setting of the client, is invalid.
    pub(crate) fn request(field: impl Into<String>, description: impl Into<String>) -> Self {
        let (field, description) = (field.into(), description.into());
        let message = format!("The request is invalid: {field} {description}.");
        let violation = FieldViolation { field, description, rule: "request".to_owned() };
        Self::from(Details {
            violations: vec![violation],
            again: Again::Never,
            ..Details::new("REQUEST_INVALID", message, Code::InvalidArgument)
        })
    }
}

/// One paragraph, and the plugin's stack.
impl fmt::Debug for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{self}")?;
        if !self.stack().is_empty() {
            write!(formatter, "\nThe plugin's stack:\n{}", self.stack().trim_end())?;
        }
        Ok(())
    }
}

/// Sorts an error into its class.
impl From<Details> for Error {
    fn from(mut details: Details) -> Self {
        if details.source.is_none() && !details.stack.is_empty() {
            details.source = Some(Box::new(PluginStack(details.stack.clone())));
        }
        match details.reason.as_str() {
            "PLUGIN_NOT_FOUND" | "ACTION_NOT_FOUND" => Self::ActionNotFound(Box::new(details)),
            "PARAMS_INVALID" | "REQUEST_INVALID" => Self::Validation(Box::new(details)),
            _ => Self::Execution(Box::new(details)),
        }
    }
}

impl Details {
    pub(crate) fn new(reason: impl Into<String>, message: impl Into<String>, code: Code) -> Self {
        Self {
            reason: reason.into(),
            message: message.into(),
            code,
            metadata: HashMap::new(),
            violations: Vec::new(),
            exception_type: String::new(),
            stack: String::new(),
            retry_after: None,
            partial_result: None,
            source: None,
            again: Again::default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_main_that_fails_prints_the_reason_and_the_stack_of_the_plugin() {
        let stack = "Traceback (most recent call last):\n  File \"x.py\", line 1\nValueError: bad\n".to_owned();
        let error =
            JobError { reason: "ACTION_FAILED".to_owned(), message: "bad".to_owned(), stack, ..JobError::default() };
        let error = Error::of_job("any", error);
        assert_eq!(error.to_string(), "ACTION_FAILED: bad");
        let printed = format!("{error:?}");
        assert!(
            printed.starts_with("ACTION_FAILED: bad\nThe plugin's stack:\nTraceback")
                && printed.ends_with("ValueError: bad"),
            "{printed}"
        );
        assert!(error.source().unwrap().to_string().contains("ValueError: bad"));
    }

    #[test]
    fn what_can_be_carried_of_a_result_comes_with_the_error() {
        let error = JobError {
            reason: "RESULT_INVALID".to_owned(),
            partial_result: Some(prost_types::Value {
                kind: Some(prost_types::value::Kind::StringValue("NaN".into())),
            }),
            non_finite: vec![String::new()],
            ..JobError::default()
        };
        assert!(Error::of_job("any", error).partial_result().unwrap().as_f64().unwrap().is_nan());
    }
}
