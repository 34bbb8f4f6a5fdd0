//! Tells live listeners when a modem or a line changed, and only then.

use crate::app::App;
use crate::registry::ModemFacts;
use crate::{clock, views};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Several facts often change together; one event tells them all.
const GATHER: Duration = Duration::from_millis(100);

/// Works as long as the program.
pub async fn run(app: Arc<App>) {
    let mut version = app.registry.watch();
    let mut told: HashMap<String, (api::Modem, Option<api::Line>)> = HashMap::new();
    loop {
        tokio::select! {
            changed = version.changed() => if changed.is_err() { return },
            // Age alone makes a ready line an unknown one.
            () = clock::sleep_until(next_end(&app.registry.snapshot(), clock::now())) => {}
        }
        tokio::time::sleep(GATHER).await;
        version.mark_unchanged();
        let facts = app.registry.snapshot();
        told.retain(|usb_path, (modem, line)| {
            let is_there = facts.iter().any(|facts| &facts.usb_path == usb_path);
            if !is_there {
                modem.state = api::ModemState::Absent;
                app.hub.publish(&api::ServerEvent::ModemUpdate(modem.clone()));
                let elsewhere = line.as_ref().is_some_and(|line| facts.iter().any(|f| carries(f, &line.id)));
                if let Some(line) = line.as_mut().filter(|_| !elsewhere) {
                    line.state = api::LineState::Absent;
                    line.modem_id = None;
                    app.hub.publish(&api::ServerEvent::LineUpdate(line.clone()));
                }
            }
            is_there
        });
        for facts in facts {
            tell(&app, &mut told, &facts);
        }
    }
}

/// When the next of the proofs that still count ends.
fn next_end(facts: &[ModemFacts], now: Instant) -> Option<Instant> {
    facts.iter().filter_map(views::proof_ends).filter(|end| *end >= now).min()
}

fn carries(facts: &ModemFacts, line: &str) -> bool {
    facts.line.is_some_and(|id| id.to_string() == line)
}

fn tell(app: &App, told: &mut HashMap<String, (api::Modem, Option<api::Line>)>, facts: &ModemFacts) {
    let modem = views::modem(facts);
    let line = facts.line.map(|id| {
        let name = facts.line_name.clone().unwrap_or_else(|| id.to_string());
        ageless(views::line(id.to_string(), name, facts))
    });
    let before = told.insert(facts.usb_path.clone(), (modem.clone(), line.clone()));
    let (modem_before, line_before) = before.map_or((None, None), |(modem, line)| (Some(modem), line));
    if modem_before.as_ref() != Some(&modem) {
        app.hub.publish(&api::ServerEvent::ModemUpdate(modem));
    }
    if let Some(line) = line.filter(|line| line_before.as_ref() != Some(line)) {
        app.hub.publish(&api::ServerEvent::LineUpdate(line));
    }
}

/// A line as of the moment of its proofs, so that age alone is no change.
fn ageless(line: api::Line) -> api::Line {
    let fresh = |age: &mut u64| *age = 0;
    let mut line = line;
    line.operator.iter_mut().for_each(|fact| fresh(&mut fact.age_seconds));
    line.registration.iter_mut().for_each(|fact| fresh(&mut fact.age_seconds));
    line.signal.iter_mut().for_each(|fact| fresh(&mut fact.age_seconds));
    line
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::{Proven, Stage};
    use telecom::Registration;

    #[test]
    fn the_end_of_the_next_proof_is_waited_for_and_none_that_is_over() {
        let now = clock::now();
        let ready_since = |at| {
            let mut facts = ModemFacts::new("1-2", (0, 0), None);
            (facts.stage, facts.alive) = (Stage::Ready, Some(at));
            facts.registration = Some(Proven { value: (Registration::Home, None), at });
            facts
        };
        let starting = ModemFacts::new("1-3", (0, 0), None);
        let later = now + Duration::from_secs(7);
        let facts = [starting, ready_since(later), ready_since(now)];
        assert_eq!(next_end(&facts, now), Some(now + views::PROOF_LASTS));
        assert_eq!(next_end(&facts, now + views::PROOF_LASTS + GATHER), Some(later + views::PROOF_LASTS));
        assert_eq!(next_end(&facts, later + views::PROOF_LASTS + GATHER), None);
    }
}
