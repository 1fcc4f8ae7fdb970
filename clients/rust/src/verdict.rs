use crate::non_finite::Restore;
use crate::proto::{FieldViolation, ValidateParamsResponse};
use crate::value::Value;

/// What a validation of params says.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Verdict {
    /// Whether the action would accept them.
    pub valid: bool,
    /// Every fault, when it would not.
    pub violations: Vec<FieldViolation>,
    /// The params as they were given, with defaults filled in, when it would; else an object without members.
    pub params: Value,
    /// What the action would not use of them, for example a name that its model does not know.
    pub warnings: Vec<FieldViolation>,
}

impl From<ValidateParamsResponse> for Verdict {
    fn from(mut response: ValidateParamsResponse) -> Self {
        response.restore();
        Self {
            valid: response.valid,
            violations: response.violations,
            params: response.params.unwrap_or_default().into(),
            warnings: response.warnings,
        }
    }
}
