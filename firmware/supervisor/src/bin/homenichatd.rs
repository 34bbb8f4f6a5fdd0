//! `homenichatd`: the supervisor of the box.

use clap::Parser;
use std::io::IsTerminal;
use std::process::ExitCode;
use tracing::error;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let filter = EnvFilter::try_from_env("HOMENICHAT_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_target(false)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr)
        .init();
    supervisor::tls::install_provider();
    match supervisor::daemon::main(&supervisor::daemon::Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("homenichatd cannot run: {error:#}");
            ExitCode::FAILURE
        }
    }
}
