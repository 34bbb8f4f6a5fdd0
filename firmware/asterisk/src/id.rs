use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the id as Asterisk or our own id source wrote it.
            pub fn new(id: impl Into<String>) -> Self {
                Self(id.into())
            }

            /// Returns the id as Asterisk writes it.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }

            /// Tells whether the box made this id, and so may remove the object when nothing needs it.
            #[must_use]
            pub fn is_ours(&self) -> bool {
                self.0.starts_with(crate::dialplan::ID_PREFIX)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

id!(
    /// The unique id of a channel, which is a leg of a call. Ours start with [`ID_PREFIX`](crate::dialplan::ID_PREFIX).
    ChannelId
);
id!(
    /// The unique id of a bridge. Ours start with [`ID_PREFIX`](crate::dialplan::ID_PREFIX).
    BridgeId
);
