#![doc = include_str!("../README.md")]

mod address;
mod builder;
mod client;
mod connection;
mod dial;
mod error;
mod feed;
mod job;
mod jobs_watch;
mod link;
mod non_finite;
mod pages;
mod params;
mod probe;
pub mod proto;
pub mod reason;
mod retry;
mod run;
#[cfg(test)]
mod script;
mod status;
mod tls;
mod value;
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
pub use value::Value;
pub use verdict::Verdict;
pub use watch::JobUpdate;
