use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Private;

/// What a SIP phone of the household is configured with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Extension {
    /// Its number, which is also the name of its account.
    pub extension: String,
    /// What other phones show.
    pub display_name: String,
    /// The password of its account.
    pub password: Private,
    /// The server, as this client reached the box.
    pub domain: String,
    /// The server's UDP port.
    pub port: u16,
    /// Whether it is for browsers and apps that speak WebRTC; of no use to other phones.
    pub webrtc: bool,
}

/// Answer of `GET /api/voip/extensions`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ExtensionList {
    /// Always true.
    pub success: bool,
    /// Every extension.
    pub extensions: Vec<Extension>,
}
