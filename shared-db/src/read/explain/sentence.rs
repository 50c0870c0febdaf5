//! The sentence that says why, and the facts that it rests on.

use super::{AHEAD_MAX, Facts};
use crate::{enums::MemberRole, wire::timestamp};
use chrono::{DateTime, SecondsFormat, Utc};
use common_api::types::{ExplanationFacts, ExplanationReason as Why};
use std::fmt::Display;

impl Facts {
    pub(super) fn sentence(&self, why: Why) -> String {
        let worker = shown(self.worker_id);
        let step = self.step_key.as_deref().unwrap_or_default();
        match why {
            Why::Running if self.pause_requested => {
                format!("Worker {worker} does it and leaves it paused before its next step.")
            }
            Why::Running => format!("Worker {worker} does it, in attempt {}.", self.attempt),
            Why::Stopping => format!(
                "Worker {worker} was asked to stop it, and is stopped by force {}.",
                at(self.deadline)
            ),
            Why::Ended => self.end(),
            Why::Paused => format!(
                "It is paused on request until somebody resumes it; its total limit passes {}.",
                at(self.total_deadline)
            ),
            Why::WaitingInput => self.question(step),
            Why::WaitingDecision => {
                format!("It waits for somebody to decide what became of step {step}.")
            }
            Why::WaitingSignal => {
                format!("It waits for a signal at step {step}{}.", until(self.wait_until))
            }
            Why::WaitingData => format!(
                "It waits for the workflow data {:?} at step {step}{}.",
                self.data_key.as_deref().unwrap_or_default(),
                until(self.wait_until)
            ),
            Why::WaitingChildren => self.children(step),
            Why::WaitingEffect => format!("It waits for an effect of step {step} to be applied."),
            Why::Sleeping => format!("It sleeps at step {step}{}.", until(self.available_at)),
            Why::Backoff => self.backoff(step),
            Why::NotBefore => {
                format!("It was asked not to begin before {}.", time(self.not_before))
            }
            Why::KeyHeld => format!(
                "Execution {} runs under its key {}; it begins after that one.",
                shown(self.blocking),
                self.execution_key.as_deref().unwrap_or_default()
            ),
            Why::OrganizationAtLimit => full("The organization", self.org_live, self.org_max),
            Why::AgentAtLimit => {
                full(&format!("Agent {}", self.agent_id), self.agent_live, self.agent_max)
            }
            Why::PlatformAtLimit => full(
                &format!("Platform {}", shown(self.platform_id)),
                self.platform_live,
                self.platform_max,
            ),
            Why::BehindOthers => self.behind(),
            Why::NoWorker => "No worker is alive.".to_owned(),
            Why::WorkerLost => self.lost(&worker),
            Why::Ready | Why::Unspecified => {
                "It is ready: a worker with a free hand takes it within a moment.".to_owned()
            }
        }
    }

    fn end(&self) -> String {
        let state = self.state.name().to_lowercase();
        let reason = self.error_reason.as_deref().map(|it| format!(" with {it}"));
        format!(
            "It has ended: it {} {}{}.",
            be(&state),
            at(self.finished_at),
            reason.unwrap_or_default()
        )
    }

    fn question(&self, step: &str) -> String {
        let who = if self.user_ids.is_empty() {
            format!("a member with the role {} or higher", self.least_role.map_or("", role))
        } else {
            format!(
                "one of {} users with the role {} or higher",
                self.user_ids.len(),
                self.least_role.map_or("", role)
            )
        };
        let request = shown(self.input_request_id);
        format!(
            "It waits for {who} to answer request {request} of step {step}{}.",
            until(self.expires_at)
        )
    }

    fn children(&self, step: &str) -> String {
        match self.children_live {
            0 => format!(
                "It waits for its children at step {step}; all have ended, and it goes on within a moment."
            ),
            1 => format!("It waits for its children at step {step}, of which 1 has not ended."),
            count => format!(
                "It waits for its children at step {step}, of which {count} have not ended."
            ),
        }
    }

    fn backoff(&self, step: &str) -> String {
        let again = until(self.available_at);
        let Some(reason) = self.step_error.as_deref().filter(|_| !step.is_empty()) else {
            return format!("Its next attempt is put off{again}.");
        };
        let times = if self.failures == 1 { "once" } else { &format!("{} times", self.failures) };
        format!("Step {step} has failed {times}, the last time as {reason}; it is put off{again}.")
    }

    fn behind(&self) -> String {
        let many = if self.ahead < AHEAD_MAX { "" } else { "at least " };
        let (noun, verb) =
            if self.ahead == 1 { ("execution", "is") } else { ("executions", "are") };
        format!(
            "It is ready, and {many}{} {noun} of its organization {verb} claimed before it.",
            self.ahead
        )
    }

    fn lost(&self, worker: &str) -> String {
        let ended = self.worker_until.map(|it| format!(" (its lease ended at {})", time(it)));
        let ended = ended.unwrap_or_default();
        format!(
            "Worker {worker}, which had it, was lost{ended}; it is put back into the queue within a moment."
        )
    }

    pub(super) fn of(&self, why: Why) -> ExplanationFacts {
        let mut facts = ExplanationFacts { attempt: self.attempt, ..Default::default() };
        let worker_id = shown(self.worker_id);
        match why {
            Why::Running => {
                facts.worker_id = worker_id;
                facts.pause_requested = self.pause_requested;
            }
            Why::Stopping => {
                facts.worker_id = worker_id;
                facts.until = self.deadline.map(timestamp);
            }
            Why::WorkerLost => {
                facts.worker_id = worker_id;
                facts.until = Some(timestamp(self.worker_until.unwrap_or(self.read_time)));
            }
            Why::Ended => {
                facts.end_time = self.finished_at.map(timestamp);
                facts.error_reason = self.error_reason.clone().unwrap_or_default();
            }
            Why::Paused => facts.until = self.total_deadline.map(timestamp),
            Why::WaitingInput => {
                facts.input_request_id = shown(self.input_request_id);
                self.least_role.map_or("", role).clone_into(&mut facts.least_role);
                facts.user_ids = self.user_ids.iter().map(ToString::to_string).collect();
                facts.until = self.expires_at.map(timestamp);
            }
            Why::WaitingSignal => facts.until = self.wait_until.map(timestamp),
            Why::WaitingData => {
                facts.data_key = self.data_key.clone().unwrap_or_default();
                facts.until = self.wait_until.map(timestamp);
            }
            Why::WaitingChildren => facts.children_live = self.children_live,
            Why::Sleeping => facts.until = self.available_at.map(timestamp),
            Why::NotBefore => facts.until = Some(timestamp(self.not_before)),
            Why::Backoff => {
                facts.failures = self.failures;
                facts.error_reason = self.step_error.clone().unwrap_or_default();
                facts.until = self.available_at.map(timestamp);
            }
            Why::KeyHeld => {
                facts.execution_key = self.execution_key.clone().unwrap_or_default();
                facts.blocking_execution_id = shown(self.blocking);
            }
            Why::OrganizationAtLimit => {
                facts = with_limit(facts, String::new(), self.org_live, self.org_max);
            }
            Why::AgentAtLimit => {
                facts =
                    with_limit(facts, self.agent_id.to_string(), self.agent_live, self.agent_max);
            }
            Why::PlatformAtLimit => {
                facts = with_limit(
                    facts,
                    shown(self.platform_id),
                    self.platform_live,
                    self.platform_max,
                );
            }
            Why::BehindOthers => facts.ahead = self.ahead,
            Why::WaitingDecision
            | Why::WaitingEffect
            | Why::NoWorker
            | Why::Ready
            | Why::Unspecified => {}
        }
        if self.phase.is_some() {
            facts.step_key = self.step_key.clone().unwrap_or_default();
        }
        facts
    }
}

fn with_limit(
    facts: ExplanationFacts,
    subject_id: String,
    executions_live: i64,
    max: Option<i32>,
) -> ExplanationFacts {
    ExplanationFacts {
        subject_id,
        executions_live,
        executions_max: max.unwrap_or_default(),
        ..facts
    }
}

fn full(who: &str, live: i64, max: Option<i32>) -> String {
    format!("{who} has {live} executions under way and may have {}.", max.unwrap_or_default())
}

fn be(state: &str) -> String {
    if state == "cancelled" { "was cancelled".to_owned() } else { state.to_owned() }
}

fn role(it: MemberRole) -> &'static str {
    match it {
        MemberRole::Viewer => "viewer",
        MemberRole::Developer => "developer",
        MemberRole::Admin => "admin",
        MemberRole::Owner => "owner",
    }
}

fn time(it: DateTime<Utc>) -> String {
    it.to_rfc3339_opts(SecondsFormat::Millis, true)
}

fn at(it: Option<DateTime<Utc>>) -> String {
    it.map(|it| format!("at {}", time(it))).unwrap_or_default()
}

fn until(it: Option<DateTime<Utc>>) -> String {
    it.map(|it| format!(" until {}", time(it))).unwrap_or_default()
}

fn shown(it: Option<impl Display>) -> String {
    it.map(|it| it.to_string()).unwrap_or_default()
}
