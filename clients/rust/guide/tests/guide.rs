//! Every block of the guide does what it says: on a service with the example plugins, and on one behind TLS.

use std::env;
use std::fs;
use std::process::Stdio;

use plugin_runner_client::{Client, Job, JobFilter};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::Command;

#[tokio::test]
async fn the_first_call_prints_its_result() {
    let printed: Value = serde_json::from_str(&printed_by(1).await).unwrap();
    assert_eq!(printed["rows"], 344);
}

#[tokio::test]
async fn a_result_is_decoded() {
    assert_eq!(printed_by(2).await, "344 rows, 7 columns\n");
}

#[tokio::test]
async fn numbers_without_json_are_values() {
    assert_eq!(printed_by(3).await, "{\"best\":-Infinity,\"loss\":NaN} Some(-inf)\n");
}

#[tokio::test]
async fn a_job_is_followed_and_watched_among_all() {
    let printed = printed_by(4).await;
    let (events, result) = printed.trim_end().rsplit_once('\n').unwrap();
    assert!(events.contains(" 1 of "), "{events}");
    let result: Value = serde_json::from_str(result).unwrap();
    assert!(result["file"].is_string(), "{result}");

    let mut watch = block(5).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap();
    let mut lines = BufReader::new(watch.stdout.take().unwrap()).lines();
    assert_eq!(lines.next_line().await.unwrap().unwrap(), "export Succeeded");
    let id = delete_the_job().await;
    assert_eq!(lines.next_line().await.unwrap().unwrap(), format!("{id} is gone"));
}

#[tokio::test]
async fn the_plugins_are_listed() {
    assert_eq!(printed_by(6).await, "digits has 2 actions\ntables has 2 actions\n");
}

#[tokio::test]
async fn an_error_names_every_fault() {
    let printed = printed_by(7).await;
    assert!(printed.starts_with("/params/dataset must be "), "{printed}");
}

#[tokio::test]
async fn a_service_behind_tls_answers() {
    assert_eq!(printed_by(8).await, "embedded [\"local\", \"task\", \"job\"]\n");
}

#[tokio::test]
async fn no_block_stands_without_a_test() {
    assert!(!block(9).stderr(Stdio::null()).status().await.unwrap().success());
}

async fn printed_by(number: usize) -> String {
    let output = block(number).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn block(number: usize) -> Command {
    let targets = fs::read_to_string(variable("PLUGIN_RUNNER_TARGETS")).unwrap();
    let targets: Value = serde_json::from_str(&targets).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_guide"));
    command.arg(number.to_string()).env("PLUGIN_RUNNER_ADDRESS", variable("PLUGIN_RUNNER_EXAMPLES"));
    for name in ["address", "token", "ca"] {
        let value = targets["secure"][name].as_str().unwrap();
        command.env(format!("GUIDE_{}", name.to_uppercase()), value);
    }
    command
}

async fn delete_the_job() -> String {
    let address = variable("PLUGIN_RUNNER_EXAMPLES");
    let client = Client::builder().address(address).connect().unwrap();
    let jobs: Vec<Job> = client.list_jobs(JobFilter::default()).try_collect().await.unwrap();
    let job = client.job(&jobs[0].job_id);
    job.delete().await.unwrap();
    job.id().to_owned()
}

fn variable(name: &str) -> String {
    env::var(name).unwrap_or_else(|_| panic!("{name} is set where test/clients/rust.test.ts starts the suite"))
}
