//! This process, by the names that every Prometheus client gives (prometheus.io/docs/instrumenting/writing_clientlibs,
//! "Process metrics"); from `/proc`, and left out where there is none.

use std::fs;

use super::text::Text;

/// A tick is a hundredth of a second on every Linux that programs see.
const TICKS: f64 = 100.0;

/// Linux says the size in KiB.
const KIB: f64 = 1024.0;

pub(super) fn write(text: &mut Text) {
    let mut family = text.gauge(
        "process_resident_memory_bytes",
        "Memory of this process that is in RAM.",
    );
    if let Some(kib) = status("VmRSS:") {
        family.sample(&[], kib * KIB);
    }
    let mut family = text.gauge("process_open_fds", "Open file descriptors.");
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        family.sample(&[], open.count() as u64);
    }
    let mut family = text.counter(
        "process_cpu_seconds_total",
        "Processor time used, in user and in system.",
    );
    if let Some(seconds) = processor_seconds() {
        family.sample(&[], seconds);
    }
}

fn status(key: &str) -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace().next()?.parse().ok()
}

/// proc_pid_stat(5): fields 14 and 15, counted behind the name, which may hold anything.
fn processor_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_whitespace().skip(11);
    let mut ticks = || times.next()?.parse::<f64>().ok();
    Some((ticks()? + ticks()?) / TICKS)
}
