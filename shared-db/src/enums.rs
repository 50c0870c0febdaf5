//! The enums of the database, each beside the one of the wire that says the same.

use common_api::types as pb;

/// Declares a PostgreSQL enum, and where the wire has it too, the way there and back.
macro_rules! enums {
    ($($(#[$doc:meta])* $name:ident = $sql:literal $(as $wire:path)? $variants:tt)*) => {$(
        rust_enum!($(#[$doc])* $name = $sql $variants);
        $(wire_enum!($name = $wire $variants);)?
    )*};
}

macro_rules! rust_enum {
    ($(#[$doc:meta])* $name:ident = $sql:literal { $($variant:ident),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type)]
        #[sqlx(type_name = $sql, rename_all = "snake_case")]
        pub enum $name { $($variant),* }

        impl $name {
            pub const ALL: &[Self] = &[$(Self::$variant),*];
        }
    };
}

macro_rules! wire_enum {
    ($name:ident = $wire:path { $($variant:ident),* $(,)? }) => {
        impl From<$name> for $wire {
            fn from(it: $name) -> Self {
                use $wire as Wire;
                match it { $($name::$variant => Wire::$variant),* }
            }
        }

        impl $name {
            /// `None` for the unspecified value.
            pub fn from_wire(it: $wire) -> Option<Self> {
                use $wire as Wire;
                match it {
                    Wire::Unspecified => None,
                    $(Wire::$variant => Some(Self::$variant)),*
                }
            }
        }
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
    /// What happens if an action is done twice.
    SideEffect = "web.side_effect" as pb::SideEffect { Pure, Idempotent, AtMostOnce }
    /// How an agent does its work.
    AgentType = "runtime.agent_type" as pb::AgentType { Context, Api, External }
    /// Where an execution stands.
    ExecutionState = "runtime.execution_state" as pb::ExecutionState {
        Queued, Running, WaitingInput, WaitingEffect, WaitingChildren, Sleeping, Paused, Succeeded, Failed, Cancelled,
    }
    /// What a step uses.
    StepType = "runtime.step_type" as pb::StepType {
        Http, Model, Code, Browser, Connector, Mcp, Agent, File, Image, Research, Memory, Input,
    }
    /// Where a step stands.
    StepState = "runtime.step_state" as pb::StepState { Pending, Running, Waiting, Succeeded, Failed, Cancelled }
    /// What an event tells.
    EventType = "runtime.event_type" as pb::EventType {
        ExecutionQueued, ExecutionStarted, ExecutionResumed, ExecutionRetry, ExecutionSucceeded, ExecutionFailed,
        ExecutionCancelled, CancelRequested, StepStarted, StepSucceeded, StepFailed, StepRetry,
    }
}

impl ExecutionState {
    /// Nothing leads out of these.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}
