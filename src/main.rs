//! The `powerform` binary: a runtime, one call, an exit status.

use std::process::ExitCode;

fn main() -> ExitCode {
    powerform::cli::main(std::env::args_os())
}
