//! `feedwall sim`: the simulated cloud alone.

use std::time::Duration;

use secrecy::ExposeSecret as _;

use crate::clock::Clock;
use crate::sim::{self, Options};

use super::{Cli, Exit, print, run::stop_on_signals};

/// `feedwall sim`
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    options: Options,
}

pub(super) async fn run(_cli: &Cli, args: &Args) -> anyhow::Result<Exit> {
    let cancel = stop_on_signals()?;
    let clock = Clock::system();
    let since_epoch = move || Duration::from_millis(u64::try_from(clock.now_ms()).unwrap_or(0));
    sim::serve(
        &args.options,
        sim::Clock::new(since_epoch),
        cancel,
        |address| {
            // A simulator that nobody can read the address of is still one.
            let _ = print(format_args!(
                "simulated cloud on http://{address}; its state: http://{address}/_sim/state"
            ));
            let _ = print(keys(&args.options));
        },
    )
    .await?;
    Ok(Exit::Done)
}

/// How to give feedwall the keys; a secret key that was chosen is not shown.
fn keys(options: &Options) -> String {
    let id = &options.secret_id;
    if options.secret_key.expose_secret() != sim::FAKE_SECRET_KEY {
        return format!("it knows the secret id {id}, with the key that it was given");
    }
    let key = sim::FAKE_SECRET_KEY;
    format!("export TENCENTCLOUD_SECRET_ID={id} TENCENTCLOUD_SECRET_KEY={key}")
}
