//! Runs a block of the guide: `guide 2` the second one.

#![allow(clippy::pedantic, reason = "examples are short")]

use std::time::Duration;
use std::{env, fs};

use plugin_runner_client::{Client, Error, JobFilter, JobsUpdate, Mode, Payload, Run, Tls, Value};
use serde::Deserialize;
use serde_json::json;

include!(concat!(env!("OUT_DIR"), "/blocks.rs"));

fn main() -> Result<(), Box<dyn std::error::Error>> {
    run(env::args().nth(1).as_deref())
}

/// What a test puts in the place of what the guide leaves to the reader.
fn given(name: &str) -> String {
    env::var(format!("GUIDE_{name}")).unwrap_or_default()
}
