//! Makes a program of every block of Rust in the guide.

use std::error::Error;
use std::fmt::Write;
use std::path::PathBuf;
use std::{env, fs};

/// What a reader puts something of their own in the place of.
const PLACEHOLDERS: [(&str, &str); 3] = [
    ("\"runner.example.com:443\"", "given(\"ADDRESS\")"),
    ("\"the token\"", "given(\"TOKEN\")"),
    ("\"ca.pem\"", "given(\"CA\")"),
];

fn main() -> Result<(), Box<dyn Error>> {
    let guide = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?).join("../../../docs/rust-client.md");
    println!("cargo::rerun-if-changed={}", guide.display());
    let guide = fs::read_to_string(guide)?;

    let mut programs = String::new();
    let mut calls = String::new();
    for (index, block) in blocks_of(&guide).enumerate() {
        let number = index + 1;
        writeln!(programs, "mod block_{number} {{\n{}\n}}", program(block))?;
        writeln!(calls, "Some(\"{number}\") => block_{number}::main()?,")?;
    }
    let run = format!(
        "/// Runs the block with a number.
        fn run(number: Option<&str>) -> Result<(), Box<dyn std::error::Error>> {{
            match number {{
                {calls}
                other => return Err(format!(\"There is no block {{other:?}}.\").into()),
            }}
            Ok(())
        }}"
    );
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("blocks.rs"), programs + &run)?;
    Ok(())
}

fn blocks_of(guide: &str) -> impl Iterator<Item = &str> {
    let starts = guide.split("```rust\n").skip(1);
    starts.filter_map(|text| text.split_once("\n```")).map(|(block, _)| block)
}

/// A block is a program, or lines of one that has a client.
fn program(block: &str) -> String {
    if block.contains("fn main()") {
        return block.replace("async fn main()", "pub async fn main()");
    }
    let connect = "let client = Client::builder().connect()?;";
    let connected = block.contains("Client::builder()") || !block.contains("client.");
    let connect = if connected { "" } else { connect };
    let block = PLACEHOLDERS.iter().fold(block.to_owned(), |block, (from, to)| block.replace(from, to));
    format!(
        "use super::*;

        #[tokio::main]
        pub async fn main() -> Result<(), Box<dyn std::error::Error>> {{
            {connect}
            {block}
            Ok(())
        }}"
    )
}
