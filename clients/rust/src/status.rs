//! What the status of a failed call means.

use std::error::Error as StdError;
use std::iter::successors;

use tonic::{Code, Status, TimeoutExpired};
use tonic_types::StatusExt;

use crate::error::{Details, Error};
use crate::proto::FieldViolation;

/// `domain` of every `google.rpc.ErrorInfo` of the service.
const DOMAIN: &str = "pluginrunner.v1.PluginRunner";

/// The error that a status means. `address` is named where the service did not send it.
pub(crate) fn to_error(status: Status, address: &str) -> Error {
    let found = status.get_error_details();
    let Some(info) = found.error_info().filter(|info| info.domain == DOMAIN) else {
        return of_transport(status, address);
    };
    let mut metadata = info.metadata.clone();
    let exception_type = metadata.remove("exception_type").unwrap_or_default();
    let violations = found.bad_request().map(|faults| faults.field_violations.as_slice()).unwrap_or_default();
    let details = Details::new(&info.reason, status.message(), status.code());
    Error::from(Details {
        metadata,
        violations: violations
            .iter()
            .map(|fault| FieldViolation {
                field: fault.field.clone(),
                description: fault.description.clone(),
                rule: fault.reason.clone(),
            })
            .collect(),
        exception_type,
        stack: found.debug_info().map(|debug| debug.stack_entries.join("\n")).unwrap_or_default(),
        retry_after: found.retry_info().and_then(|retry| retry.retry_delay),
        ..details
    })
}

/// A status that the service did not send: the connection, a proxy or this side's gRPC did.
fn of_transport(status: Status, address: &str) -> Error {
    let code = code_of(&status);
    let (reason, what) = match code {
        Code::Unavailable | Code::Cancelled | Code::Unknown | Code::Internal => ("UNAVAILABLE", "No answer from"),
        Code::DeadlineExceeded => ("DEADLINE", "The call failed at"),
        Code::Unauthenticated => ("UNAUTHENTICATED", "The call failed at"),
        Code::PermissionDenied => ("FORBIDDEN", "The call failed at"),
        _ => ("INTERNAL", "The call failed at"),
    };
    let details = Details::new(reason, format!("{what} {address}: {}", message_of(&status)), code);
    let metadata = [("address".to_owned(), address.to_owned())].into();
    Error::from(Details { metadata, source: Some(Box::new(status)), ..details })
}

/// Only a status that was made on this side has a source: of a connection that is lost, or of a deadline that passed.
fn code_of(status: &Status) -> Code {
    let mut sources = sources_of(status).peekable();
    if sources.peek().is_none() {
        status.code()
    } else if sources.any(<dyn StdError>::is::<TimeoutExpired>) {
        Code::DeadlineExceeded
    } else {
        Code::Unavailable
    }
}

/// What the service or a proxy said, else what happened on this side with its causes, each said once.
fn message_of(status: &Status) -> String {
    let mut message = String::new();
    for cause in sources_of(status).map(ToString::to_string) {
        if !message.contains(&cause) {
            let separator = if message.is_empty() { "" } else { ": " };
            message = format!("{message}{separator}{cause}");
        }
    }
    if message.is_empty() { status.message().to_owned() } else { message }
}

fn sources_of(status: &Status) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    successors(status.source(), |&error| error.source())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: &str = "runner:50151";

    #[test]
    fn a_status_of_another_sender_means_what_its_code_says() {
        for (code, reason) in [
            (Code::Unavailable, "UNAVAILABLE"),
            (Code::Cancelled, "UNAVAILABLE"),
            (Code::Unknown, "UNAVAILABLE"),
            (Code::Internal, "UNAVAILABLE"),
            (Code::DeadlineExceeded, "DEADLINE"),
            (Code::Unauthenticated, "UNAUTHENTICATED"),
            (Code::PermissionDenied, "FORBIDDEN"),
            (Code::OutOfRange, "INTERNAL"),
        ] {
            let error = to_error(Status::new(code, "said a proxy"), ADDRESS);
            assert!(matches!(error, Error::Execution(_)));
            assert_eq!((error.reason(), error.code()), (reason, code));
            let message = error.to_string();
            assert!(message.contains(ADDRESS) && message.contains("said a proxy"), "{message}");
        }
    }

    #[test]
    fn a_deadline_that_passed_on_this_side_is_a_deadline() {
        let error = to_error(Status::from_error(Box::new(TimeoutExpired(()))), ADDRESS);
        assert_eq!((error.reason(), error.code()), ("DEADLINE", Code::DeadlineExceeded));
    }

    #[test]
    fn a_connection_that_is_lost_is_unavailable() {
        let cause = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        let error = to_error(Status::from_error(Box::new(cause)), ADDRESS);
        assert_eq!((error.reason(), error.code()), ("UNAVAILABLE", Code::Unavailable));
        assert_eq!(error.to_string(), "No answer from runner:50151: connection reset");
    }
}
