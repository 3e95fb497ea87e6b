//! Progress on a terminal while a long round is sent: entries, rate, time left. Elsewhere the log says it.

use std::io::{self, Write};
use std::sync::{Arc, LazyLock};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::watch;

use crate::l4;
use crate::stage::send::Link;

/// All bars of the process; the log writes past them.
static BARS: LazyLock<MultiProgress> = LazyLock::new(MultiProgress::new);

/// Rounds of fewer calls than this are over before anybody could read a bar.
const LONG: u64 = 20;

/// The bars of a session.
pub struct Bars {
    watchers: Vec<tokio::task::JoinHandle<()>>,
}

/// Standard error for the log: clears the bars, writes, and draws them again.
pub struct PastBars;

impl Bars {
    /// Draws a bar for each firewall while it has a long round under way.
    #[must_use]
    pub fn watch(links: &[Arc<Link>]) -> Self {
        BARS.set_draw_target(ProgressDrawTarget::stderr());
        let watchers = links
            .iter()
            .map(|link| tokio::spawn(draw(Arc::clone(link))));
        Self {
            watchers: watchers.collect(),
        }
    }

    /// Draws a bar while many proxy rules are on their way.
    #[must_use]
    pub fn watch_rules(progress: watch::Receiver<l4::Progress>) -> Self {
        BARS.set_draw_target(ProgressDrawTarget::stderr());
        Self {
            watchers: vec![tokio::spawn(draw_rules(progress))],
        }
    }

    /// Takes the bars away.
    pub fn finish(self) {
        for watcher in self.watchers {
            watcher.abort();
        }
        // A terminal that is gone needs no clearing.
        let _ = BARS.clear();
    }
}

async fn draw(link: Arc<Link>) {
    let mut progress = link.progress.subscribe();
    let mut bar: Option<ProgressBar> = None;
    while progress.changed().await.is_ok() {
        let now = *progress.borrow_and_update();
        if now.calls < LONG || now.calls_settled >= now.calls {
            if let Some(bar) = bar.take() {
                bar.finish_and_clear();
            }
            continue;
        }
        let drawn = bar.get_or_insert_with(|| new_bar(&link, now.entries));
        if drawn.length() != Some(now.entries) {
            drawn.set_length(now.entries);
            drawn.reset();
        }
        drawn.set_position(now.entries_applied);
        let rate = per_second(now.calls_settled, drawn.elapsed().as_secs_f64());
        drawn.set_message(format!("{rate:.1} calls/s"));
    }
}

/// Fewer proxy rules than this go in one call.
const MANY_RULES: u64 = 201;

async fn draw_rules(mut progress: watch::Receiver<l4::Progress>) {
    let mut bar: Option<ProgressBar> = None;
    while progress.changed().await.is_ok() {
        let now = *progress.borrow_and_update();
        if now.rules < MANY_RULES {
            continue;
        }
        let drawn = bar.get_or_insert_with(|| {
            let bar = BARS.add(ProgressBar::new(now.rules));
            let template = "[{bar:24}] {human_pos}/{human_len} rules, {msg}";
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style.progress_chars("=> "));
            }
            bar
        });
        drawn.set_position(now.done);
        drawn.set_message(match now.waiting {
            0 => "sent".to_owned(),
            waiting => format!("{waiting} not online yet"),
        });
    }
}

fn new_bar(link: &Link, entries: u64) -> ProgressBar {
    let bar = BARS.add(ProgressBar::new(entries));
    let style = ProgressStyle::with_template(
        "{prefix} [{bar:24}] {human_pos}/{human_len} entries, {msg}, {eta} left",
    );
    if let Ok(style) = style {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_prefix(link.config.name.to_string());
    bar
}

#[expect(clippy::cast_precision_loss, reason = "a count of calls")]
fn per_second(calls: u64, seconds: f64) -> f64 {
    if seconds > 0.0 {
        calls as f64 / seconds
    } else {
        0.0
    }
}

impl Write for PastBars {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        BARS.suspend(|| io::stderr().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
