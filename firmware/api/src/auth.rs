use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Private;

/// What a user may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// May do everything; existing apps know this role as `admin`.
    Admin,
    /// May read and send.
    User,
}

/// A person who can sign in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct User {
    /// Opaque id.
    pub id: String,
    /// Name to sign in with.
    pub username: String,
    /// What the user may do.
    pub role: Role,
}

/// Body of `POST /api/auth/login`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Login {
    /// Name to sign in with.
    pub username: String,
    /// Password in clear.
    pub password: Private,
}

/// Body of `POST /api/setup/owner`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct NewOwner {
    /// Name to sign in with, 1 to 64 characters.
    pub username: String,
    /// Password in clear, at least 8 characters.
    pub password: Private,
}

/// Body of `POST /api/system/factory-reset`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct FactoryReset {
    /// Password of the one who asks, in clear.
    pub password: Private,
}

/// Answer to a login and to the creation of the owner.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct LoginAnswer {
    /// Always true; errors have their own body.
    pub success: bool,
    /// Bearer token of the new session.
    pub token: Private,
    /// Who signed in.
    pub user: User,
}

/// Answer of `GET /api/auth/verify`.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct Verified {
    /// Always true; a bad token is answered by an error.
    pub valid: bool,
    /// Whose session it is.
    pub user: User,
}

/// Answer of `GET /api/setup/status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SetupStatus {
    /// True until the owner exists.
    pub setup_needed: bool,
    /// True once the owner exists.
    pub setup_complete: bool,
}
