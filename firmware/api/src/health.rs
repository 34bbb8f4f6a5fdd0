use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// Proven to work.
    Ok,
    /// The last proof is too old to say.
    Unknown,
    /// Works in part.
    Degraded,
    /// Proven not to work.
    Failed,
}

/// One light, and what lights it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HealthItem {
    /// What it is about: `asterisk`, `store`, `modem-2`, …
    pub name: String,
    /// How it is.
    pub status: HealthStatus,
    /// What proved it, in words.
    pub proof: String,
    /// How long ago, in seconds; absent while nothing has proved anything.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub age_seconds: Option<u64>,
}

/// Answer of `GET /api/health`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Health {
    /// The worst of the items.
    pub status: HealthStatus,
    /// Version of the supervisor.
    pub version: String,
    /// Seconds since the supervisor started.
    pub uptime_seconds: u64,
    /// Every light.
    pub items: Vec<HealthItem>,
}

impl Health {
    /// The health that `items` prove.
    #[must_use]
    pub fn new(version: impl Into<String>, uptime_seconds: u64, items: Vec<HealthItem>) -> Self {
        let status = items.iter().map(|item| item.status).max().unwrap_or(HealthStatus::Unknown);
        Self { status, version: version.into(), uptime_seconds, items }
    }
}

/// Answer of `GET /livez`: the program runs and answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Liveness {
    /// Always `ok`.
    pub status: String,
}
