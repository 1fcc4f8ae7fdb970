//! Generates the messages and the stub from the service's protocol buffers, without `protoc`.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=proto");
    let files = protox::compile(["pluginrunner/v1/plugin_runner.proto"], ["proto"])?;
    tonic_prost_build::configure()
        .build_server(false)
        .build_transport(false)
        .boxed(".pluginrunner.v1.SubmitJobResponse.update.snapshot")
        .boxed(".pluginrunner.v1.WatchJobResponse.update.snapshot")
        .boxed(".pluginrunner.v1.WatchJobsResponse.update.snapshot")
        .compile_fds(files)?;
    Ok(())
}
