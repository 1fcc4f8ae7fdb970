//! What the status of a failed call means.

use std::error::Error as StdError;
use std::io;
use std::iter::successors;

use prost::Message as _;
use tonic::{Code, Status, TimeoutExpired};
use tonic_types::StatusExt;

use crate::connection::MAX_MESSAGE_BYTES;
use crate::dial::Finding;
use crate::error::{Again, Details, Error};
use crate::non_finite::Restore;
use crate::proto::{FieldViolation, JobError};
use crate::reason;
use crate::value::Value;

/// `domain` of every `google.rpc.ErrorInfo` of the service.
const DOMAIN: &str = "pluginrunner.v1.PluginRunner";

/// The error that a status means. `address` is named where the service did not send it, and what was found of the connection
/// counts.
pub(crate) fn to_error(status: Status, address: &str, found: Option<Finding>) -> Error {
    let sent = status.get_error_details();
    let Some(info) = sent.error_info().filter(|info| info.domain == DOMAIN) else {
        return of_transport(status, address, found);
    };
    let mut metadata = info.metadata.clone();
    let exception_type = metadata.remove("exception_type").unwrap_or_default();
    let violations = sent.bad_request().map(|faults| faults.field_violations.as_slice()).unwrap_or_default();
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
        stack: sent.debug_info().map(|debug| debug.stack_entries.join("\n")).unwrap_or_default(),
        retry_after: sent.retry_info().and_then(|retry| retry.retry_delay),
        partial_result: partial_result(&status),
        ..details
    })
}

/// What can be carried of a result that is invalid: a detail that only this service sends.
fn partial_result(status: &Status) -> Option<Value> {
    let details = tonic_types::Status::decode(status.details()).ok()?.details;
    let detail = details.iter().find(|detail| detail.type_url.ends_with("/pluginrunner.v1.JobError"))?;
    let mut error = JobError::decode(detail.value.as_slice()).ok()?;
    error.restore();
    error.partial_result.map(Value::from)
}

/// What a status means that the service did not send.
struct Meaning {
    reason: &'static str,
    message: String,
    again: Again,
}

impl Meaning {
    fn of(reason: &'static str, message: String) -> Self {
        Self { reason, message, again: Again::Maybe }
    }

    fn certain(reason: &'static str, message: String) -> Self {
        Self { reason, message, again: Again::Never }
    }
}

/// A status that the service did not send: the connection, a proxy or this side's gRPC did.
fn of_transport(status: Status, address: &str, found: Option<Finding>) -> Error {
    let code = code_of(&status);
    let message = message_of(&status);
    let meaning = of_finding(&status, address, found)
        .or_else(|| of_certificate(&message, address))
        .or_else(|| of_http(&message, address))
        .or_else(|| of_message(code, &message, address))
        .unwrap_or_else(|| of_code(code, &message, address));
    let details = Details::new(meaning.reason, meaning.message, code);
    let metadata = [("address".to_owned(), address.to_owned())].into();
    let violations = match meaning.reason {
        reason::REQUEST_INVALID => {
            vec![FieldViolation { description: details.message.clone(), rule: "size".to_owned(), ..Default::default() }]
        }
        _ => Vec::new(),
    };
    let again = meaning.again;
    Error::from(Details { metadata, violations, again, source: Some(Box::new(status)), ..details })
}

/// What the first bytes of the connection said.
fn of_finding(status: &Status, address: &str, found: Option<Finding>) -> Option<Meaning> {
    // Only a status that was made on this side has a source.
    status.source()?;
    let text = match found? {
        Finding::Closed => return None,
        Finding::SpeaksTls => speaks_tls(address),
        Finding::SpeaksNoTls => format!("The server at {address} does not speak TLS: connect without tls."),
        Finding::SpeaksHttp1 => {
            format!(
                "The server at {address} does not speak HTTP/2: it is no plugin-runner service, or another port of it."
            )
        }
        Finding::Silent(patience) => {
            let seconds = patience.as_secs_f64();
            let what = "It is silent: see that the address is the service's";
            let text = format!("No answer from {address} within {seconds} s. {what}.");
            return Some(Meaning { reason: reason::UNAVAILABLE, message: text, again: Again::WhenLost });
        }
    };
    Some(Meaning::certain(reason::UNAVAILABLE, text))
}

fn speaks_tls(address: &str) -> String {
    format!("The server at {address} speaks TLS: connect with tls(Tls::new()).")
}

/// What TLS refused, by the words of rustls.
fn of_certificate(message: &str, address: &str) -> Option<Meaning> {
    let has = |words: &[&str]| words.iter().any(|word| message.contains(word));
    let untrusted = |why: &str| format!("The certificate of {address} is not trusted: {why}.");
    let text = if has(&["UnknownIssuer", "BadSignature", "CaUsedAsEndEntity"]) {
        untrusted("it is signed by none of the given authorities; give its authority by Tls::ca")
    } else if has(&["not valid for name", "NotValidForName"]) {
        untrusted(&format!("it is that of another host ({message})"))
    } else if has(&["certificate expired", "Expired", "not valid yet", "NotValidYet"]) {
        untrusted("it has expired or is not yet valid")
    } else if has(&["invalid peer certificate"]) {
        untrusted(message)
    } else if has(&["CertificateRequired", "BadCertificate", "UnknownCA"]) {
        format!("The server at {address} wants a certificate of the client that it trusts: give it by Tls::identity.")
    } else if has(&["received fatal alert"]) {
        format!("No connection with TLS to {address}: {message}.")
    } else {
        return None;
    };
    Some(Meaning::certain(reason::UNAVAILABLE, text))
}

/// What a proxy answered instead of the service. Only 502, 503 and 504 are worth another try.
fn of_http(message: &str, address: &str) -> Option<Meaning> {
    let (_, after) = message.split_once("HTTP status code ")?;
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    let (reason, what) = match digits.as_str() {
        "401" | "407" => (reason::UNAUTHENTICATED, "wants credentials"),
        "403" => (reason::FORBIDDEN, "refuses the call"),
        "404" => (reason::FORBIDDEN, "does not know this service"),
        "413" => (reason::REQUEST_INVALID, "refuses a request of this size"),
        "431" => (reason::REQUEST_INVALID, "refuses headers of this size"),
        "429" => (reason::OVERLOADED, "takes no more calls for now"),
        "502" | "503" | "504" => (reason::UNAVAILABLE, "finds no service that answers"),
        _ => (reason::INTERNAL, "refuses the call"),
    };
    let text = format!("A proxy at {address} {what} (HTTP {digits}).");
    let meant = if reason == reason::UNAVAILABLE { Meaning::of } else { Meaning::certain };
    Some(meant(reason, text))
}

/// What one message is too large or too deep for.
fn of_message(code: Code, message: &str, address: &str) -> Option<Meaning> {
    let (reason, text) = match code {
        Code::ResourceExhausted => {
            let help = "Send a file's path instead, or start the server with a larger --max-request-size";
            let text = format!("The request is larger than the server at {address} takes ({message}). {help}.");
            (reason::REQUEST_INVALID, text)
        }
        Code::OutOfRange if message.starts_with("Error, decoded message length too large") => {
            let text =
                format!("The answer of {address} is larger than the {MAX_MESSAGE_BYTES} bytes that this client takes.");
            (reason::INTERNAL, text)
        }
        Code::Internal if message.starts_with("failed to decode") => {
            let why = "it is nested too deep or damaged";
            (reason::INTERNAL, format!("The answer of {address} cannot be read by this client: {why} ({message})."))
        }
        _ => return None,
    };
    Some(Meaning::certain(reason, text))
}

fn of_code(code: Code, message: &str, address: &str) -> Meaning {
    let (reason, what) = match code {
        Code::Unavailable | Code::Cancelled | Code::Unknown | Code::Internal => (reason::UNAVAILABLE, "No answer from"),
        Code::DeadlineExceeded => (reason::DEADLINE, "The call failed at"),
        Code::Unauthenticated => (reason::UNAUTHENTICATED, "The call failed at"),
        Code::PermissionDenied => (reason::FORBIDDEN, "The call failed at"),
        _ => (reason::INTERNAL, "The call failed at"),
    };
    Meaning::of(reason, format!("{what} {address}: {message}"))
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

/// Whether the host was silent while the connection was made.
pub(crate) fn timed_out(status: &Status) -> bool {
    let mut errors = sources_of(status).filter_map(|source| source.downcast_ref::<io::Error>());
    errors.any(|error| error.kind() == io::ErrorKind::TimedOut)
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
            let error = to_error(Status::new(code, "said a proxy"), ADDRESS, None);
            assert!(matches!(error, Error::Execution(_)));
            assert_eq!((error.reason(), error.code()), (reason, code));
            let message = error.to_string();
            assert!(message.contains(ADDRESS) && message.contains("said a proxy"), "{message}");
        }
    }

    #[test]
    fn a_status_of_http_is_that_of_a_proxy() {
        for (number, code, reason, again) in [
            (302, Code::Unknown, "INTERNAL", Again::Never),
            (400, Code::Internal, "INTERNAL", Again::Never),
            (401, Code::Unauthenticated, "UNAUTHENTICATED", Again::Never),
            (403, Code::PermissionDenied, "FORBIDDEN", Again::Never),
            (404, Code::Unimplemented, "FORBIDDEN", Again::Never),
            (413, Code::Unknown, "REQUEST_INVALID", Again::Never),
            (429, Code::Unavailable, "OVERLOADED", Again::Never),
            (431, Code::Unknown, "REQUEST_INVALID", Again::Never),
            (502, Code::Unavailable, "UNAVAILABLE", Again::Maybe),
            (503, Code::Unavailable, "UNAVAILABLE", Again::Maybe),
        ] {
            // The words of tonic.
            let text = format!("grpc-status header missing, mapped from HTTP status code {number}");
            let error = to_error(Status::new(code, text), ADDRESS, None);
            assert_eq!((error.reason(), error.again()), (reason, again), "{number}");
            assert!(error.to_string().contains(&format!("(HTTP {number})")), "{error}");
        }
    }

    #[test]
    fn a_message_that_is_too_large_or_cannot_be_read_is_final() {
        for (code, text, reason, word) in [
            (
                Code::ResourceExhausted,
                "Received message larger than max (5 vs. 4)",
                "REQUEST_INVALID",
                "--max-request-size",
            ),
            (Code::OutOfRange, "Error, decoded message length too large: found 2", "INTERNAL", "16777216 bytes"),
            (
                Code::Internal,
                "failed to decode Protobuf message: recursion limit reached",
                "INTERNAL",
                "cannot be read",
            ),
        ] {
            let error = to_error(Status::new(code, text), ADDRESS, None);
            assert_eq!((error.reason(), error.again()), (reason, Again::Never));
            assert!(error.to_string().contains(word), "{error}");
        }
    }

    #[test]
    fn a_deadline_that_passed_on_this_side_is_a_deadline() {
        let error = to_error(Status::from_error(Box::new(TimeoutExpired(()))), ADDRESS, None);
        assert_eq!((error.reason(), error.code()), ("DEADLINE", Code::DeadlineExceeded));
    }

    #[test]
    fn a_connection_that_is_lost_is_unavailable() {
        let cause = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        let error = to_error(Status::from_error(Box::new(cause)), ADDRESS, None);
        assert_eq!((error.reason(), error.code()), ("UNAVAILABLE", Code::Unavailable));
        assert_eq!(error.to_string(), "UNAVAILABLE: No answer from runner:50151: connection reset");
    }
}
