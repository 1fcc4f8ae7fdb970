//! Runs the cases of every client: `node ../../test/clients/with-targets.ts cargo test`.

mod case;
mod events;
mod expect;
mod targets;
mod values;
mod verbs;

use std::time::Duration;

use futures_util::stream::{StreamExt, iter};
use tokio::task::JoinError;
use tokio::time::timeout;

use crate::case::{Case, Target, read_cases};
use crate::targets::Targets;

/// How many cases run at a time.
const AT_A_TIME: usize = 6;

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

/// What went wrong with a case.
async fn outcome(case: Case, targets: Targets) -> Option<String> {
    let name = case.name.clone();
    let run = tokio::spawn(async move {
        let run = verbs::run(&case, &targets);
        timeout(Duration::from_secs(30), run).await.expect("the case goes on");
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
