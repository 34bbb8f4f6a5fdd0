//! `homenichat`: the box from a terminal, through the same API as every app.

use std::process::ExitCode;

fn main() -> ExitCode {
    supervisor::tls::install_provider();
    supervisor::cli::main()
}
