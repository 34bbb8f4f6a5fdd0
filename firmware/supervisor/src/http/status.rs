//! How the box is.

use super::error::{ApiError, Json};
use crate::app::App;
use crate::pbx::Facts;
use crate::tls::host_name;
use crate::{clock, views};
use api::{HealthItem, HealthStatus};
use axum::extract::{Query, State};
use serde::Deserialize;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Below this much free space new messages may soon not fit.
const LOW_DISK_BYTES: u64 = 50 << 20;
/// A database that is slower than this makes everything late.
const STORE_DEADLINE: Duration = Duration::from_secs(3);
/// The most events of one page.
const LARGEST_PAGE: u32 = 100;

/// `GET /livez`.
pub(super) async fn liveness() -> Json<api::Liveness> {
    Json(api::Liveness { status: "ok".to_owned() })
}

/// `GET /api/health`.
pub(super) async fn health(State(app): State<Arc<App>>) -> Json<api::Health> {
    Json(examine(&app).await)
}

/// Every light of the box at this moment.
pub(crate) async fn examine(app: &App) -> api::Health {
    let mut items = vec![store_health(app).await, disk_health(app), asterisk_health(app)];
    let modems = app.registry.snapshot();
    if modems.is_empty() {
        let proof = "no modem is plugged in: plug one in, with a SIM".to_owned();
        items.push(HealthItem { name: "modems".to_owned(), status: HealthStatus::Failed, proof, age_seconds: Some(0) });
    }
    items.extend(modems.iter().map(views::modem_health));
    items.extend(name_health(app));
    items.extend(settings_health(app));
    let uptime = clock::now().saturating_duration_since(app.started).as_secs();
    api::Health::new(env!("CARGO_PKG_VERSION"), uptime, items)
}

async fn store_health(app: &App) -> HealthItem {
    // Who only reads does not notice that nothing can be stored.
    let (status, proof) = match tokio::time::timeout(STORE_DEADLINE, app.store.check_writer()).await {
        Ok(Ok(())) => (HealthStatus::Ok, "the database took a transaction".to_owned()),
        Ok(Err(error)) => (HealthStatus::Failed, error.to_string()),
        Err(_) => (HealthStatus::Failed, format!("the database has not answered for {STORE_DEADLINE:?}")),
    };
    HealthItem { name: "store".to_owned(), status, proof, age_seconds: Some(0) }
}

/// The name that is answered, once it has been announced to the network.
fn name_health(app: &App) -> Option<HealthItem> {
    let wanted = host_name(app.settings.borrow().the_box.name.as_str());
    let hosts = app.hosts.borrow();
    let age = clock::now().saturating_duration_since(hosts.announced()?);
    let proof = match hosts.answered(&wanted) {
        host if host == wanted => format!("the box was announced as {host}"),
        host => format!("another machine answers to {wanted}: this box was announced as {host}"),
    };
    let status = HealthStatus::Ok;
    Some(HealthItem { name: "name".to_owned(), status, proof, age_seconds: Some(age.as_secs()) })
}

/// What is wrong with the settings; nothing when they are used.
fn settings_health(app: &App) -> Option<HealthItem> {
    let proof = app.settings_problem.borrow().as_ref().map(|problem| format!("not used: {problem}"))?;
    Some(HealthItem { name: "settings".to_owned(), status: HealthStatus::Degraded, proof, age_seconds: Some(0) })
}

fn asterisk_health(app: &App) -> HealthItem {
    judge_asterisk(&app.pbx.facts(), clock::now())
}

fn judge_asterisk(facts: &Facts, now: Instant) -> HealthItem {
    let age = facts.last_ari_proof.map(|at| now.saturating_duration_since(at));
    let (status, proof) = match (facts.pid, age) {
        (None, _) => (HealthStatus::Failed, "Asterisk does not run; it is being started".to_owned()),
        (Some(_), None) => (HealthStatus::Unknown, "Asterisk is starting".to_owned()),
        (Some(_), Some(age)) if age > views::PROOF_LASTS => {
            (HealthStatus::Failed, "Asterisk runs and does not answer; it is restarted when no call is up".to_owned())
        }
        (Some(_), Some(_)) if !facts.hears_events => {
            (HealthStatus::Unknown, "Asterisk answers, and does not tell yet what happens".to_owned())
        }
        (Some(_), Some(_)) => {
            (HealthStatus::Ok, format!("Asterisk answered; it ended unasked {} times", facts.restarts))
        }
    };
    HealthItem { name: "asterisk".to_owned(), status, proof, age_seconds: age.map(|age| age.as_secs()) }
}

fn disk_health(app: &App) -> HealthItem {
    let (status, proof) = match app.space.free() {
        Ok(free) if app.space.is_short() => {
            let proof = format!(
                "storage full, {} MB free: SMS stay in the modems and none is accepted for sending; delete voicemail, or \
                 use a larger disk",
                free >> 20
            );
            (HealthStatus::Failed, proof)
        }
        Ok(free) => {
            let status = if free < LOW_DISK_BYTES { HealthStatus::Degraded } else { HealthStatus::Ok };
            (status, format!("{} MB free for messages", free >> 20))
        }
        Err(error) => (HealthStatus::Unknown, format!("the disk does not tell its free space: {error}")),
    };
    HealthItem { name: "disk".to_owned(), status, proof, age_seconds: Some(0) }
}

/// Which events are wanted.
#[derive(Debug, Deserialize)]
pub(super) struct EventPage {
    limit: Option<u32>,
    before: Option<i64>,
}

/// `GET /api/events`.
pub(super) async fn list_events(
    State(app): State<Arc<App>>,
    page: Result<Query<EventPage>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<api::EventList>, ApiError> {
    let Query(page) = page.map_err(|_| super::error::bad_query())?;
    let limit = super::error::page_limit(page.limit, LARGEST_PAGE)?;
    let events = app.store.list_events(page.before, limit + 1).await;
    let mut events = events.map_err(|error| ApiError::internal("listing events", &error))?;
    let has_more = events.len() > limit as usize;
    events.truncate(limit as usize);
    let events = events.into_iter().map(|event| api::Event {
        id: event.id,
        kind: event.kind,
        data: serde_json::from_str(&event.json).unwrap_or(serde_json::Value::String(event.json)),
        timestamp: event.at_ms,
    });
    Ok(Json(api::EventList { success: true, events: events.collect(), has_more }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asterisk_is_well_when_it_answers_and_tells_what_happens() {
        let (pid, now) = (Some(7), clock::now());
        let running = Facts { pid, ..Facts::default() };
        let answering = Facts { last_ari_proof: Some(now), ..running.clone() };
        let telling = Facts { hears_events: true, ..answering.clone() };
        let later = now + views::PROOF_LASTS + Duration::from_secs(1);
        for (facts, at, want) in [
            (Facts::default(), now, HealthStatus::Failed),
            (running, now, HealthStatus::Unknown),
            (answering, now, HealthStatus::Unknown),
            (telling.clone(), now, HealthStatus::Ok),
            (telling, later, HealthStatus::Failed),
        ] {
            assert_eq!(judge_asterisk(&facts, at).status, want, "{facts:?}");
        }
    }
}
