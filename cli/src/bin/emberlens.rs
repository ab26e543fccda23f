//! The `emberlens` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    emberlens_cli::main()
}
