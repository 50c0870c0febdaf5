//! The enums of the database, each beside the one of the wire that says the same.

use common_api::{options::Role, types as pb};

/// Declares enums of PostgreSQL.
macro_rules! enums {
    ($($(#[$doc:meta])* $name:ident = $sql:literal { $($variant:ident),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type)]
        #[sqlx(type_name = $sql, rename_all = "snake_case")]
        pub enum $name { $($variant),* }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant),*];
        }
    )*};
}

/// Declares enums that `freehold.types.v1` has under the same name, with the way there and back.
macro_rules! wire_enums {
    ($($(#[$doc:meta])* $name:ident = $sql:literal { $($variant:ident),* $(,)? })*) => {
        enums! { $($(#[$doc])* $name = $sql { $($variant),* })* }
        $(
            impl From<$name> for pb::$name {
                fn from(it: $name) -> Self {
                    match it { $($name::$variant => pb::$name::$variant),* }
                }
            }

            impl $name {
                /// `None` for the unspecified value.
                pub fn from_wire(it: pb::$name) -> Option<Self> {
                    match it {
                        pb::$name::Unspecified => None,
                        $(pb::$name::$variant => Some(Self::$variant)),*
                    }
                }
            }
        )*
    };
}

enums! {
    /// What a member may do, least first.
    MemberRole = "web.member_role" { Viewer, Developer, Admin, Owner }
    /// How far the request under a `request_id` has come.
    RequestState = "web.request_state" { Pending, Answered, Abandoned }
    /// What a core action does when it is called.
    ActionKind = "web.action_kind" { Http }
    /// How much harm a core action can do.
    RiskLevel = "web.risk_level" { Low, Medium, High }
}

wire_enums! {
    /// What happens if an action is done twice.
    SideEffect = "web.side_effect" { Pure, Idempotent, AtMostOnce }
    /// How an agent does its work.
    AgentType = "runtime.agent_type" { Context, Api, External }
    /// Where an execution stands.
    ExecutionState = "runtime.execution_state" {
        Queued, Running, WaitingInput, WaitingEffect, WaitingChildren, Sleeping, Paused, Succeeded, Failed, Cancelled,
    }
    /// What a step uses.
    StepType = "runtime.step_type" {
        Http, Model, Code, Browser, Connector, Mcp, Agent, File, Image, Research, Memory, Input,
    }
    /// Where a step stands.
    StepState = "runtime.step_state" { Pending, Running, Waiting, Succeeded, Failed, Cancelled }
    /// What an event tells.
    EventType = "runtime.event_type" {
        ExecutionQueued, ExecutionStarted, ExecutionResumed, ExecutionRetry, ExecutionSucceeded, ExecutionFailed,
        ExecutionCancelled, CancelRequested, StepStarted, StepSucceeded, StepFailed, StepRetry,
    }
}

impl From<MemberRole> for Role {
    fn from(it: MemberRole) -> Self {
        match it {
            MemberRole::Viewer => Self::Viewer,
            MemberRole::Developer => Self::Developer,
            MemberRole::Admin => Self::Admin,
            MemberRole::Owner => Self::Owner,
        }
    }
}

impl ExecutionState {
    /// As it stands on the wire, without prefix: `SUCCEEDED`.
    pub fn name(self) -> &'static str {
        let name = pb::ExecutionState::from(self).as_str_name();
        name.strip_prefix("EXECUTION_STATE_").unwrap_or(name)
    }

    /// Nothing leads out of these.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}
