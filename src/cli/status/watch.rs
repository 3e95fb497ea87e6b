//! `status --watch`: the report in place, drawn anew every two seconds, until q or Ctrl-C.

use std::io::{self, Write};
use std::time::Duration;

use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::{cursor, queue, style, terminal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::model::UnixTime;
use crate::status::layout::count;
use crate::status::report::Report;
use crate::status::table;

use super::super::ask::Ground;
use super::super::run::stop_on_signals;
use super::screen::{Scroll, Step, fit};

/// How often it is drawn anew.
const EVERY: Duration = Duration::from_secs(2);

/// How soon the reader of keys sees that it is no longer wanted.
const LOOK: Duration = Duration::from_millis(100);

/// What is on the screen.
struct View {
    report: Report,
    /// Why it is older than two seconds, where it is.
    fault: Option<String>,
    scroll: Scroll,
    colour: bool,
}

/// The terminal while it is ours; dropped, it is as it was.
struct Screen;

/// Draws until it is told to stop; gives the last report.
pub(super) async fn run(ground: &mut Ground) -> anyhow::Result<Report> {
    let cancel = stop_on_signals()?;
    let mut view = View {
        report: ground.report().await?,
        fault: None,
        scroll: Scroll::default(),
        colour: std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
    };
    let (sender, mut events) = mpsc::unbounded_channel();
    let screen = Screen::take()?;
    let reading = cancel.clone();
    let reader = tokio::task::spawn_blocking(move || read_events(&sender, &reading));
    let mut clock = tokio::time::interval(EVERY);
    clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while !cancel.is_cancelled() {
        tokio::select! {
            () = cancel.cancelled() => break,
            _ = clock.tick() => view.look(ground).await,
            event = events.recv() => match event {
                Some(event) if !ends(&event) => view.obey(&event)?,
                _ => break,
            }
        }
        view.draw(&mut io::stdout().lock(), terminal::size()?)?;
    }
    cancel.cancel();
    drop(screen);
    reader.await??;
    Ok(view.report)
}

/// Hands on what is typed, until `cancel`.
fn read_events(
    sender: &mpsc::UnboundedSender<Event>,
    cancel: &CancellationToken,
) -> io::Result<()> {
    while !cancel.is_cancelled() {
        // A watcher that is gone needs no more keys.
        if event::poll(LOOK)? && sender.send(event::read()?).is_err() {
            return Ok(());
        }
    }
    Ok(())
}

fn ends(event: &Event) -> bool {
    let Event::Key(KeyEvent {
        code,
        modifiers,
        kind: KeyEventKind::Press,
        ..
    }) = event
    else {
        return false;
    };
    match code {
        KeyCode::Char('q') | KeyCode::Esc => true,
        KeyCode::Char('c' | 'd') => modifiers.contains(KeyModifiers::CONTROL),
        _ => false,
    }
}

fn step(event: &Event) -> Option<Step> {
    let Event::Key(KeyEvent {
        code,
        kind: KeyEventKind::Press,
        ..
    }) = event
    else {
        return None;
    };
    Some(match code {
        KeyCode::Up | KeyCode::Char('k') => Step::Up,
        KeyCode::Down | KeyCode::Char('j') => Step::Down,
        KeyCode::PageUp => Step::PageUp,
        KeyCode::PageDown | KeyCode::Char(' ') => Step::PageDown,
        KeyCode::Home | KeyCode::Char('g') => Step::Top,
        KeyCode::End | KeyCode::Char('G') => Step::Bottom,
        _ => return None,
    })
}

impl View {
    /// Looks again. A ledger that cannot be read just now is said, and looked for again.
    async fn look(&mut self, ground: &Ground) {
        match ground.report().await {
            Ok(report) => (self.report, self.fault) = (report, None),
            Err(fault) => self.fault = Some(format!("{fault:#}")),
        }
    }

    fn obey(&mut self, event: &Event) -> io::Result<()> {
        if let Some(step) = step(event) {
            let (columns, rows) = terminal::size()?;
            let lines = self.lines(columns).len();
            self.scroll.by(step, lines, body_rows(rows));
        }
        Ok(())
    }

    fn lines(&self, columns: u16) -> Vec<String> {
        let text = table::status(&self.report);
        if self.colour {
            fit(&text, columns.into())
        } else {
            fit(
                &anstream::adapter::strip_str(&text).to_string(),
                columns.into(),
            )
        }
    }

    fn draw(&mut self, out: &mut impl Write, (columns, rows): (u16, u16)) -> io::Result<()> {
        let lines = self.lines(columns);
        let (top, seen) = self.scroll.seen(&lines, body_rows(rows));
        queue!(out, terminal::BeginSynchronizedUpdate)?;
        for (row, line) in (0..).zip(seen) {
            queue!(
                out,
                cursor::MoveTo(0, row),
                style::Print(line),
                style::ResetColor
            )?;
            queue!(out, terminal::Clear(terminal::ClearType::UntilNewLine))?;
        }
        let below = u16::try_from(seen.len()).unwrap_or(rows);
        queue!(
            out,
            cursor::MoveTo(0, below),
            terminal::Clear(terminal::ClearType::FromCursorDown)
        )?;
        let foot = self.foot(top, seen.len(), lines.len());
        let foot: Vec<String> = fit(&foot, columns.into());
        queue!(out, cursor::MoveTo(0, rows.saturating_sub(1)))?;
        queue!(out, style::Print(foot.first().map_or("", String::as_str)))?;
        queue!(out, terminal::EndSynchronizedUpdate)?;
        out.flush()
    }

    /// The last line: the time, what cannot be seen, and how to get away.
    fn foot(&self, top: usize, seen: usize, lines: usize) -> String {
        let mut parts = vec![clock_face(self.report.now)];
        if let Some(fault) = &self.fault {
            parts.push(format!(
                "as of then, for now {}",
                crate::status::escape::escape(fault)
            ));
        }
        match self.report.needs.len() as u64 {
            0 => {}
            needs => parts.push(count(needs, "thing needs you", "things need you")),
        }
        if seen < lines {
            parts.push(format!(
                "lines {}-{} of {lines}, arrows scroll",
                top + 1,
                top + seen
            ));
        }
        parts.push("q quits".to_owned());
        parts.join("; ")
    }
}

/// `14:03:07 UTC`
fn clock_face(at: UnixTime) -> String {
    let text = at.wall_clock(jiff::tz::Offset::UTC);
    let time = text.split_once(' ').map_or(&*text, |(_, time)| time);
    format!("{time} UTC")
}

/// The last row is the foot's, and the one above it stays empty.
fn body_rows(rows: u16) -> usize {
    usize::from(rows.saturating_sub(2)).max(1)
}

impl Screen {
    fn take() -> io::Result<Self> {
        terminal::enable_raw_mode()?;
        // From here on a fault puts the terminal back.
        let screen = Self;
        let mut out = io::stdout();
        queue!(out, terminal::EnterAlternateScreen, cursor::Hide)?;
        out.flush()?;
        Ok(screen)
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let mut out = io::stdout();
        // A terminal that is gone needs no more.
        let _ = queue!(out, cursor::Show, terminal::LeaveAlternateScreen);
        let _ = out.flush();
        let _ = terminal::disable_raw_mode();
    }
}
