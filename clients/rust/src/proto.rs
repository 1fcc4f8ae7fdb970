//! The messages and the stub, generated from the service's protocol buffers.

#![allow(clippy::pedantic, reason = "generated code")]

tonic::include_proto!("pluginrunner.v1");
