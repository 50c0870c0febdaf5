//! The agents of an organization: one of each kind.

use super::kind::{CAP, Effect, Kind, StepShape};
use crate::{org::Org, remote::Remote};
use serde_json::{Value, json};
use std::collections::BTreeMap;

#[derive(Debug)]
pub(super) struct Agents(BTreeMap<Kind, String>);

impl Agents {
    pub(super) async fn create(org: &Org, remote: &Remote, slowness: u64) -> Self {
        let mut agents = BTreeMap::<Kind, String>::new();
        for kind in Kind::ALL {
            // Probes are long as they are.
            let slowness = if kind == Kind::Probe { 1 } else { slowness };
            let mut calls = kind.waits(agents.get(&Kind::Child).map(String::as_str));
            for step in kind.steps() {
                let action = org.action_with(action(step, remote, slowness)).await;
                calls.push(json!({ "step_key": step.key, "core_action_id": action }));
            }
            let agent = org.agent_with(json!({ "endpoint": { "calls": calls } })).await;
            agents.insert(kind, agent);
        }
        let cap = json!({
            "subject": "LIMIT_SUBJECT_AGENT",
            "subject_id": agents[&Kind::Capped],
            "executions_max": CAP,
        });
        let set = org.admin().call("ConcurrencyLimitService/SetConcurrencyLimit", cap).await;
        set.expect("nothing is wrong yet");
        Self(agents)
    }

    pub(super) fn of(&self, kind: Kind) -> &str {
        &self.0[&kind]
    }
}

/// The remote is told which execution and which step it is, so that its log needs no table to be read.
fn action(step: &StepShape, remote: &Remote, slowness: u64) -> Value {
    let ms = step.ms * slowness;
    let path = format!("/work?ms={ms}&fail={}&step={}", step.fail, step.key);
    let url = format!("{}&run={{{{ input.run }}}}", remote.url(&path));
    let (method, effect) = match step.effect {
        Effect::Pure => ("GET", "SIDE_EFFECT_PURE"),
        Effect::Idempotent => ("POST", "SIDE_EFFECT_IDEMPOTENT"),
        Effect::AtMostOnce => ("POST", "SIDE_EFFECT_AT_MOST_ONCE"),
    };
    // More attempts than any fault here can use up.
    let retry = json!({ "attempts_max": 100, "initial_delay": "0.1s", "delay_max": "0.4s" });
    json!({
        "http": { "method": method, "url": url, "timeout": "4s" },
        "side_effect": effect,
        "retry": retry,
    })
}
