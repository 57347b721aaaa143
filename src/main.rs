//! See `--help`.

fn main() -> std::process::ExitCode {
    epaxos_tui::cli::main()
}
