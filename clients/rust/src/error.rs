use std::collections::HashMap;
use std::error::Error as StdError;
use std::time::Duration;

use tonic::Code;

use crate::proto::{FieldViolation, JobError};

/// What went wrong: of a call, or of a job that failed.
#[derive(Debug, thiserror::Error)]
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
#[error("{message}")]
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
    /// What this error was made of, where that was not the service's own word.
    pub source: Option<Box<dyn StdError + Send + Sync>>,
}

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

    /// The error that ended a job, of the same classes as those of a failed call.
    pub(crate) fn of_job(job_id: &str, error: JobError) -> Self {
        let mut metadata = error.metadata;
        metadata.remove("exception_type");
        metadata.entry("job_id".to_owned()).or_insert_with(|| job_id.to_owned());
        let details = Details::new(error.reason, error.message, Code::Unknown);
        Self::from(Details {
            metadata,
            violations: error.violations,
            exception_type: error.exception_type,
            stack: error.stack,
            ..details
        })
    }

    /// A stream that was cut, by the connection, a proxy or this client: worth another try.
    pub(crate) fn cut(message: impl Into<String>) -> Self {
        Self::from(Details::new("UNAVAILABLE", message, Code::Unavailable))
    }

    /// A fault on this side of the connection.
    pub(crate) fn local(message: impl Into<String>, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self::from(Details { source: Some(source.into()), ..Details::new("INTERNAL", message, Code::Internal) })
    }

    /// Params that cannot be sent.
    pub(crate) fn params(description: impl Into<String>) -> Self {
        let violation =
            FieldViolation { field: "/params".to_owned(), description: description.into(), rule: "type".to_owned() };
        let message = format!("The params {}.", violation.description);
        Self::from(Details {
            violations: vec![violation],
            ..Details::new("PARAMS_INVALID", message, Code::InvalidArgument)
        })
    }
}

/// Sorts an error into its class.
impl From<Details> for Error {
    fn from(details: Details) -> Self {
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
            source: None,
        }
    }
}
