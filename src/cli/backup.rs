//! `feedwall backup FILE`: a copy of the whole ledger, while the daemon runs. `--json` gives
//! `{ledger, file, bytes, duration_ms}`.

use std::path::PathBuf;

use serde_json::json;
use tokio::time::Instant;

use super::ask::Ground;
use super::{Cli, Exit, print, print_json};

/// `feedwall backup`
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Where to write it; nothing may be there yet.
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

pub(super) async fn run(cli: &Cli, args: &Args) -> anyhow::Result<Exit> {
    let ground = Ground::open(cli).await?;
    let begun = Instant::now();
    let bytes = ground.ledger().backup(&args.file).await?;
    let took = begun.elapsed();
    if cli.json {
        print_json(&json!({
            "ledger": ground.ledger().path(),
            "file": args.file,
            "bytes": bytes,
            "duration_ms": u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
        }))?;
    } else {
        #[expect(clippy::cast_precision_loss, reason = "a size for people")]
        let size = bytes as f64 / 1e6;
        let file = args.file.display().to_string();
        print(format!(
            "Copied {} to {}: {size:.1} MB in {:.1} s. Only you may read it; put in the ledger's place, it is the ledger.",
            ground.ledger().path().display(),
            crate::status::escape::escape(&file),
            took.as_secs_f64()
        ))?;
    }
    ground.close().await;
    Ok(Exit::Done)
}
