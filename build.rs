//! Compiles `proto/` into `OUT_DIR`, with no `protoc` needed, and nothing else.

use std::error::Error;
use std::path::PathBuf;

use protox::prost::Message;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = protox::compile(FILES, ["proto"])?;
    // Read again by the running server, which describes itself to whoever asks.
    let out = PathBuf::from(std::env::var("OUT_DIR")?);
    std::fs::write(out.join("epaxos.v1.bin"), files.encode_to_vec())?;
    // One client for all of the crate's own calls; the servers are what others call.
    tonic_prost_build::configure().emit_rerun_if_changed(false).compile_fds(files)?;
    Ok(())
}

const FILES: [&str; 4] = [
    "epaxos/v1/kv.proto",
    "epaxos/v1/replica.proto",
    "epaxos/v1/command.proto",
    "epaxos/v1/dispatch.proto",
];
