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
    // What other programs would make of the files: the tests call replicas with it.
    let strangers = tonic_prost_build::configure().emit_rerun_if_changed(false);
    strangers.compile_fds(files.clone())?;
    let own = out.join("own");
    std::fs::create_dir_all(&own)?;
    tonic_prost_build::configure()
        .emit_rerun_if_changed(false)
        .out_dir(own)
        .codec_path("crate::net::codec::PieceCodec")
        // Read and written by hand: see there.
        .extern_path(".epaxos.v1.Operation", "crate::net::operation::Operation")
        .extern_path(".epaxos.v1.Batch", "crate::net::batch::Batch")
        .extern_path(".epaxos.v1.ProposeBatchRequest", "crate::net::batch::Proposals")
        .compile_fds(files)?;
    Ok(())
}

const FILES: [&str; 4] = [
    "epaxos/v1/kv.proto",
    "epaxos/v1/replica.proto",
    "epaxos/v1/command.proto",
    "epaxos/v1/dispatch.proto",
];
