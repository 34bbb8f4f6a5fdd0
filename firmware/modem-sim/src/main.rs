//! `modem-sim`: simulated USB modems on the command line.

mod cli;

use std::process::ExitCode;

use clap::Parser as _;

#[tokio::main]
async fn main() -> ExitCode {
    match cli::Cli::parse().run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let mut err = std::io::stderr();
            if std::io::Write::write_fmt(&mut err, format_args!("modem-sim: {error:#}\n")).is_err() {
                return ExitCode::from(2);
            }
            ExitCode::FAILURE
        }
    }
}
