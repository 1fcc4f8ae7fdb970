//! Client of plugin-runner, the service that runs the actions of plugins: at once, or as jobs that are watched while
//! they run.
//!
//! ```no_run
//! use plugin_runner_client::{Client, Error, Run};
//! use serde_json::json;
//!
//! # async fn example() -> Result<(), Error> {
//! let client = Client::builder().connect()?;
//! let greeting = client.run(Run::new("greet", "greet").params(json!({ "name": "Ada" }))).await?;
//! println!("{greeting}");
//! # Ok(())
//! # }
//! ```
//!
//! [`Client`] has every call, [`JobHandle`] those of one job. What streams in is a [`Feed`]; what goes wrong is an
//! [`Error`]. Dropping a future or a feed ends its call, never a job.

mod builder;
mod client;
mod error;
mod feed;
mod job;
mod jobs_watch;
pub mod json;
mod link;
mod pages;
pub mod proto;
mod retry;
mod run;
#[cfg(test)]
mod script;
mod status;
mod tls;
mod verdict;
mod watch;

pub use builder::ClientBuilder;
pub use client::Client;
pub use error::{Details, Error};
pub use feed::Feed;
pub use job::JobHandle;
pub use jobs_watch::JobsUpdate;
#[doc(inline)]
pub use proto::{FieldViolation, Job, JobEvent, JobFilter, JobState, Plugin, Resources, job_event::Payload};
pub use run::{Mode, Run};
pub use tls::Tls;
pub use tonic::Code;
pub use verdict::Verdict;
pub use watch::JobUpdate;
