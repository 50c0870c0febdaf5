//! The enums of the database, each beside the one of the wire that says the same.

use common_api::{options::Role, types as pb};

/// Declares enums of PostgreSQL.
macro_rules! enums {
    ($($(#[$doc:meta])* $name:ident = $sql:literal { $($variant:ident),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type, serde::Serialize)]
        #[sqlx(type_name = $sql, rename_all = "snake_case")]
        #[serde(rename_all = "snake_case")]
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
    /// What a purge erases.
    PurgeSubject = "web.purge_subject" { Organization, User }
    /// How far a purge has come.
    PurgeState = "web.purge_state" { Stopping, Erasing, Finished }
    /// What a core action does when it is called.
    ActionKind = "web.action_kind" { Http, Mcp, Transform }
    /// How much harm a core action can do.
    RiskLevel = "web.risk_level" { Low, Medium, High }
    /// Who may have an execution that has not ended.
    QueuePhase = "runtime.queue_phase" { Ready, Delayed, Held, Paused }
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
        Http, Model, Code, Browser, Connector, Mcp, Agent, File, Image, Research, Memory, Input, Value,
        Sleep, Signal, Data,
    }
    /// Where a step stands.
    StepState = "runtime.step_state" { Pending, Running, Waiting, Succeeded, Failed, Cancelled }
    /// What an event tells.
    EventType = "runtime.event_type" {
        ExecutionQueued, ExecutionStarted, ExecutionResumed, ExecutionRetry, ExecutionSucceeded, ExecutionFailed,
        ExecutionCancelled, CancelRequested, StepStarted, StepSucceeded, StepFailed, StepRetry,
        ExecutionSuspended, ExecutionWoken, ExecutionPaused, ExecutionUnpaused, StepWaiting, StepDecided, InputRequested,
        InputAnswered, SignalReceived, ChildrenStarted,
    }
    /// What becomes of children when their parent ends.
    ClosePolicy = "runtime.close_policy" { Terminate, Abandon, RequestCancel }
    /// What a person decided about a step whose outcome is unknown.
    StepDecision = "runtime.step_decision" { Succeeded, Failed, Repeat }
    /// What a limit on concurrency counts.
    LimitSubject = "runtime.limit_subject" { Agent, Platform }
    /// Whether a question has its answer.
    InputRequestState = "runtime.input_request_state" { Open, Answered, Expired, Cancelled }
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

impl MemberRole {
    /// As it stands in the database and in definitions: `developer`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Developer => "developer",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }

    /// The reverse of [`MemberRole::name`].
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|it| it.name() == name)
    }

    /// The highest that a caller of `role` is; `None` for who is no member.
    pub fn of(role: Role) -> Option<Self> {
        Self::ALL
            .iter()
            .rev()
            .copied()
            .find(|it| role != Role::WebService && Role::from(*it) <= role)
    }
}

impl ExecutionState {
    /// As it stands on the wire, without prefix: `SUCCEEDED`.
    pub fn name(self) -> &'static str {
        let name = pb::ExecutionState::from(self).as_str_name();
        name.strip_prefix("EXECUTION_STATE_").unwrap_or(name)
    }

    /// The task state of the A2A protocol that says the same.
    pub fn a2a(self) -> &'static str {
        match self {
            Self::Queued => "submitted",
            Self::Running | Self::WaitingEffect | Self::WaitingChildren | Self::Sleeping => {
                "working"
            }
            // A paused execution waits for the person who paused it.
            Self::WaitingInput | Self::Paused => "input-required",
            Self::Succeeded => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "canceled",
        }
    }

    /// Nothing leads out of these.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}
