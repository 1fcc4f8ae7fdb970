use serde_json::{Map, Value};

use crate::json;
use crate::proto::{FieldViolation, ValidateParamsResponse};

/// What a validation of params says.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The action would accept them: as they are with defaults filled in.
    Valid(Map<String, Value>),
    /// It would not: every fault.
    Invalid(Vec<FieldViolation>),
}

impl From<ValidateParamsResponse> for Verdict {
    fn from(response: ValidateParamsResponse) -> Self {
        if response.valid {
            Self::Valid(response.params.map(json::from_struct).unwrap_or_default())
        } else {
            Self::Invalid(response.violations)
        }
    }
}
