//! The table that is printed at the end.

use std::fmt;
use std::time::Duration;

/// One figure.
#[derive(Debug, Clone)]
pub struct Row {
    what: String,
    value: f64,
    unit: &'static str,
    /// The spread or the circumstances.
    note: String,
    target: Option<Target>,
    peer: Option<Peer>,
}

/// What the figure is to be.
#[derive(Debug, Clone, Copy)]
pub enum Target {
    /// Not more.
    AtMost(f64),
    /// Not less.
    AtLeast(f64),
}

/// The same figure of another program.
#[derive(Debug, Clone)]
struct Peer {
    name: &'static str,
    value: f64,
}

impl Row {
    /// A figure without a target.
    pub fn new(what: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { what: what.into(), value, unit, note: String::new(), target: None, peer: None }
    }

    /// A duration in milliseconds.
    pub fn millis(what: impl Into<String>, value: Duration) -> Self {
        Self::new(what, value.as_secs_f64() * 1000.0, "ms")
    }

    /// The median of durations, with their 99th percentile and number as a note.
    pub fn median(what: impl Into<String>, values: &[Duration]) -> Self {
        let note =
            format!("p99 {:.1} max {:.1} n {}", ms(quantile(values, 99)), ms(quantile(values, 100)), values.len());
        Self::millis(what, quantile(values, 50)).note(note)
    }

    /// With its spread or circumstances.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// With what it is to be.
    #[must_use]
    pub fn target(mut self, target: Target) -> Self {
        self.target = Some(target);
        self
    }

    /// Beside the same figure of another program.
    #[must_use]
    pub fn peer(mut self, name: &'static str, value: f64) -> Self {
        self.peer = Some(Peer { name, value });
        self
    }

    fn cells(&self) -> [String; 6] {
        let number = |value: f64| format!("{} {}", short(value), self.unit);
        let (target, verdict) = match self.target {
            None => (String::new(), ""),
            Some(Target::AtMost(limit)) => (format!("≤ {}", number(limit)), verdict(self.value <= limit)),
            Some(Target::AtLeast(limit)) => (format!("≥ {}", number(limit)), verdict(self.value >= limit)),
        };
        let peer = self.peer.as_ref().map_or_else(String::new, |peer| {
            format!("{} {} (× {:.2})", peer.name, number(peer.value), self.value / peer.value)
        });
        [self.what.clone(), number(self.value), target, verdict.to_owned(), peer, self.note.clone()]
    }
}

/// Every figure.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Row>,
    missing: Vec<String>,
}

impl Table {
    /// Adds a figure.
    pub fn add(&mut self, row: Row) {
        self.rows.push(row);
    }

    /// Adds figures that could not be taken.
    pub fn add_missing(&mut self, subject: &str, error: &anyhow::Error) {
        // A failed story carries the log of the box; its end is enough here.
        let text = format!("{error:#}");
        let tail: Vec<&str> = text.lines().rev().take(12).collect();
        let tail: Vec<&str> = tail.into_iter().rev().collect();
        self.missing.push(format!("{subject}: {}", tail.join("\n    ")));
    }

    /// Whether every figure was taken.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["measure", "HomeniChat", "target", "verdict", "peer (× ours/peer)", "note"].map(str::to_owned);
        let lines: Vec<[String; 6]> = std::iter::once(head).chain(self.rows.iter().map(Row::cells)).collect();
        let widths: Vec<usize> = (0..6)
            .map(|column| lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max())
            .map(Option::unwrap_or_default)
            .collect();
        for line in &lines {
            let cells = line.iter().zip(&widths).map(|(cell, &width)| format!("{cell:<width$}"));
            let text = cells.collect::<Vec<String>>().join(" | ");
            writeln!(formatter, "{}", text.trim_end())?;
        }
        for missing in &self.missing {
            writeln!(formatter, "not measured: {missing}")?;
        }
        Ok(())
    }
}

/// The value below which so many hundredths of the values lie; the greatest for 100.
pub fn quantile(values: &[Duration], hundredths: usize) -> Duration {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let last = sorted.len().saturating_sub(1);
    sorted.get((sorted.len() * hundredths / 100).min(last)).copied().unwrap_or_default()
}

fn ms(value: Duration) -> f64 {
    value.as_secs_f64() * 1000.0
}

fn verdict(is_met: bool) -> &'static str {
    if is_met { "met" } else { "MISSED" }
}

/// Three figures or more.
fn short(value: f64) -> String {
    match value.abs() {
        large if large >= 100.0 => format!("{value:.0}"),
        middle if middle >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_says_its_target_its_verdict_and_its_peer() {
        for (name, row, want) in [
            ("below a limit", Row::new("start", 80.0, "ms").target(Target::AtMost(150.0)), "≤ 150 ms | met"),
            ("above a limit", Row::new("start", 151.0, "ms").target(Target::AtMost(150.0)), "≤ 150 ms | MISSED"),
            ("enough", Row::new("rate", 4000.0, "/s").target(Target::AtLeast(4000.0)), "≥ 4000 /s | met"),
            ("beside a peer", Row::new("rate", 30.0, "/s").peer("gammu", 20.0), "gammu 20.0 /s (× 1.50)"),
        ] {
            let text = row.cells().join(" | ");
            assert!(text.contains(want), "{name}: {text}");
        }
    }

    #[test]
    fn quantiles_are_values_of_the_list() {
        let values: Vec<Duration> = (1..=100).rev().map(Duration::from_millis).collect();
        for (hundredths, want) in [(0, 1), (50, 51), (99, 100), (100, 100)] {
            assert_eq!(quantile(&values, hundredths), Duration::from_millis(want), "{hundredths}");
        }
        assert_eq!(quantile(&[], 50), Duration::ZERO);
    }
}
