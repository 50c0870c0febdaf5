//! One newtype for each kind of id: never a bare `Uuid` in a signature. New ids are made here and nowhere else.

use std::{fmt, str::FromStr};
use uuid::Uuid;

macro_rules! id_types {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, sqlx::Type, serde::Serialize, serde::Deserialize)]
        #[sqlx(transparent)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A fresh id (UUID v7: ordered by time, so that inserts stay at the end of their index).
            #[expect(clippy::disallowed_methods, reason = "the one place where ids are made")]
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(s: &str) -> Result<Self, Self::Err> {
                Uuid::try_parse(s).map(Self)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }
    )*};
}

id_types! {
    /// `web.organizations.id`, and every `org_id`.
    OrganizationId
    /// `web.users.id`
    UserId
    /// `web.api_keys.id`
    ApiKeyId
    /// `web.activities.id`
    ActivityId
    /// `web.app_platforms.id`
    PlatformId
    /// `web.core_actions.id`
    CoreActionId
    /// `runtime.agents.id`
    AgentId
    /// `runtime.agent_executions.id`
    ExecutionId
    /// `runtime.execution_steps.id`
    StepId
    /// `runtime.action_executions.id`
    ActionExecutionId
    /// A process of runtime-service, for as long as it lives.
    WorkerId
}

/// A random tag of a row, new with each change; on the wire an opaque string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, sqlx::Type)]
#[sqlx(transparent)]
pub struct Etag(pub Uuid);

impl Etag {
    /// The etag that an update or a delete expects; `None` when it names none. What is no etag of ours is that of no row.
    pub fn expected(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(Uuid::try_parse(text).unwrap_or_default()))
    }
}

impl fmt::Display for Etag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

impl From<Uuid> for Etag {
    fn from(tag: Uuid) -> Self {
        Self(tag)
    }
}
