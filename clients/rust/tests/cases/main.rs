//! Runs the cases of every client: `node ../../test/clients/with-targets.ts cargo test`.

mod case;
mod events;
mod expect;
mod targets;
mod transport;
mod values;
mod verbs;

use std::time::Duration;

use futures_util::stream::{StreamExt, iter};
use plugin_runner_client::{Client, Tls};
use tokio::task::JoinError;
use tokio::time::timeout;

use crate::case::{Case, Target, read_cases};
use crate::targets::Targets;
use crate::transport::{comes_to_say, failures, http_status, saying, says};

/// How many cases run at a time.
const AT_A_TIME: usize = 6;
/// How long a case may take: only one that is broken comes to that.
const PATIENCE: Duration = Duration::from_secs(300);

#[tokio::test]
async fn the_client_passes_the_cases_of_every_client() {
    let targets = Targets::read();
    let cases = read_cases(&targets.cases);
    let failures: Vec<String> = iter(cases)
        .map(|case| outcome(case, targets.clone()))
        .buffer_unordered(AT_A_TIME)
        .filter_map(std::future::ready)
        .collect()
        .await;
    assert!(failures.is_empty(), "{} cases failed:\n\n{}", failures.len(), failures.join("\n\n"));
}

#[tokio::test]
async fn values_arrive_as_they_were_sent() {
    values::echo_all(&Targets::read().client(Target::Plain)).await;
}

#[tokio::test]
async fn values_that_cannot_arrive_are_not_sent() {
    values::refuse_all(&Targets::read().client(Target::Down)).await;
}

#[tokio::test]
async fn a_connection_of_the_wrong_kind_is_said_to_be_that() {
    let targets = Targets::read();
    says(Client::builder().address(targets.secure_address()), "speaks TLS").await;
    says(Client::builder().address(targets.plain_address()).tls(Tls::new()), "does not speak TLS").await;
    says(targets.builder(Target::SecureWithoutCa), "signed by none of the given authorities").await;
    comes_to_say(targets.without_certificate(), "wants a certificate of the client").await;
    let http = saying(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    says(Client::builder().address(&http.address), "does not speak HTTP/2").await;
}

#[tokio::test]
async fn a_host_that_is_silent_is_given_up_in_time() {
    for tls in [None, Some(Tls::new())] {
        let silent = saying(b"").await;
        let builder = Client::builder().address(&silent.address).connect_timeout(Duration::from_millis(200));
        let builder = match tls {
            Some(tls) => builder.tls(tls),
            None => builder,
        };
        for error in failures(builder).await {
            assert_eq!(error.reason(), "UNAVAILABLE");
            assert!(error.to_string().contains("within 0.2 s"), "{error}");
        }
        assert_eq!(silent.taken(), 2);
    }
}

#[tokio::test]
async fn a_status_of_http_is_that_of_a_proxy() {
    for (number, reason) in
        [("403", "FORBIDDEN"), ("404", "FORBIDDEN"), ("413", "REQUEST_INVALID"), ("500", "INTERNAL")]
    {
        let proxy = saying(http_status(number)).await;
        let client = Client::builder().address(&proxy.address).connect().unwrap();
        let error = client.server_info().await.unwrap_err();
        assert_eq!(error.reason(), reason, "{error}");
        assert!(error.to_string().contains(&format!("(HTTP {number})")), "{error}");
        assert_eq!(proxy.taken(), 1);
    }
}

#[tokio::test]
async fn a_connection_that_went_silent_is_left_for_another() {
    // An empty frame of settings, which is what a server of HTTP/2 begins with.
    let mute = saying(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await;
    let client =
        Client::builder().address(&mute.address).heartbeat_timeout(Duration::from_millis(50)).connect().unwrap();
    let error = client.job("any").events().try_next().await.unwrap_err();
    assert!(error.to_string().contains("Nothing came from the server for 0.05 s"), "{error}");
    assert_eq!(mute.taken(), 5);
}

/// What went wrong with a case.
async fn outcome(case: Case, targets: Targets) -> Option<String> {
    let name = case.name.clone();
    let run = tokio::spawn(async move {
        let run = verbs::run(&case, &targets);
        timeout(PATIENCE, run).await.expect("the case goes on");
    });
    let failure = run.await.err().map(|error| format!("{name}: {}", message_of(error)));
    println!("{} {name}", if failure.is_some() { "failed" } else { "passed" });
    failure
}

fn message_of(error: JoinError) -> String {
    let panic = error.into_panic();
    let message = panic.downcast_ref::<String>().cloned();
    message.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string)).unwrap_or_default()
}
