//! The `feedwall` command: reads the arguments, runs the command, and turns what came of it into an exit code.

use std::process::ExitCode;

use clap::Parser;
use feedwall::cli::{self, Cli};

fn main() -> ExitCode {
    cli::completions::answer();
    let cli = Cli::parse();
    cli::logs::start(&cli);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(fault) => return cli::fail(&anyhow::Error::new(fault).context("no runtime")),
    };
    match runtime.block_on(cli::run(cli)) {
        Ok(exit) => exit.into(),
        Err(fault) => cli::fail(&fault),
    }
}
