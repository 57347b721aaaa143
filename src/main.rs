//! See `--help`.

use mimalloc::MiMalloc;

/// Messages are made on one thread and let go on another, many a microsecond: what the system's own
/// allocator is slowest at.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> std::process::ExitCode {
    epaxos_tui::cli::main()
}
