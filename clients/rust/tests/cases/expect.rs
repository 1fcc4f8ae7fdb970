use std::time::Duration;

use plugin_runner_client::{Code, Error, FieldViolation, Value as Found};
use serde_json::{Value, json};

use crate::case::{Expectation, ExpectedError};

/// Checks the end of a call.
pub fn settles(outcome: Result<Found, Error>, expect: &Expectation) {
    let outcome = outcome.and_then(Value::try_from);
    match (outcome, &expect.error, &expect.contains) {
        (outcome, Some(expected), _) => fails(outcome, expected),
        (outcome, None, Some(contained)) => {
            let result = outcome.expect("the call succeeds");
            assert!(holds(&result, contained), "{result} does not contain {contained}");
        }
        (outcome, None, None) => assert_eq!(outcome.expect("the call succeeds"), expect.result),
    }
}

/// Checks the end of a call that has to fail.
pub fn fails<T>(outcome: Result<T, Error>, expected: &ExpectedError) {
    let error = outcome.err().expect("the call fails");
    assert_eq!(
        (class_of(&error), error.reason(), name_of(error.code()).as_str()),
        (expected.class.as_str(), expected.reason.as_str(), expected.code.as_str()),
        "{error:?}"
    );
    let message = error.to_string();
    for (text, part) in [
        (message.as_str(), &expected.message),
        (error.exception_type(), &expected.exception_type),
        (error.stack(), &expected.stack),
    ] {
        assert!(text.contains(part.as_str()), "{text:?} does not contain {part:?}");
    }
    for (name, value) in &expected.metadata {
        assert_eq!(error.metadata().get(name), Some(value), "{name}");
    }
    assert!(!error.metadata().contains_key("exception_type"), "{error:?}");
    if let Some(violations) = &expected.violations {
        check_violations(error.violations(), violations);
    }
    assert_eq!(error.retry_after(), expected.retry_after.map(Duration::from_secs_f64));
}

/// Those violations, in order, each with at least these names.
pub fn check_violations(found: &[FieldViolation], expected: &[Value]) {
    assert_eq!(found.len(), expected.len(), "{found:?}");
    for (one, expected) in found.iter().zip(expected) {
        let one = json!({ "field": one.field, "description": one.description, "rule": one.rule });
        assert!(holds(&one, expected), "{one} does not contain {expected}");
    }
}

/// Whether a value is equal to another, but for further names in its objects.
pub fn holds(actual: &Value, expected: &Value) -> bool {
    match (actual, expected) {
        (Value::Object(actual), Value::Object(expected)) => {
            expected.iter().all(|(name, value)| actual.get(name).is_some_and(|found| holds(found, value)))
        }
        (Value::Array(actual), Value::Array(expected)) => {
            actual.len() == expected.len() && actual.iter().zip(expected).all(|(found, value)| holds(found, value))
        }
        (Value::Number(actual), Value::Number(expected)) => actual.as_f64() == expected.as_f64(),
        _ => actual == expected,
    }
}

fn class_of(error: &Error) -> &'static str {
    match error {
        Error::ActionNotFound(_) => "ActionNotFoundError",
        Error::Validation(_) => "ValidationError",
        Error::Execution(_) => "ExecutionError",
        _ => "a class that this suite does not know",
    }
}

/// The name of the protocol: `InvalidArgument` is `INVALID_ARGUMENT`.
fn name_of(code: Code) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}
