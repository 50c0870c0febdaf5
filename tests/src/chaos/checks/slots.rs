//! What is held while it is needed, and let go after.

use crate::chaos::{
    clocks::Time,
    history::{Call, History},
    load::{CAP, Kind},
    schedule::RUNTIMES,
};
use std::collections::BTreeMap;

/// When all is over the queue is empty, no step and no attempt is open, and every replica still does as much at a time as it is set to.
pub fn nothing_is_held(history: &History) -> Vec<String> {
    let mut found: Vec<String> =
        history.tables.queued.iter().map(|it| format!("{it} is still in the queue")).collect();
    for it in &history.tables.executions {
        let open = it.steps.iter().filter(|it| it.finished_at.is_none() || 0 < it.open_actions);
        found.extend(
            open.map(|step| format!("{} {} is open ({})", it.run, step.step_key, step.state)),
        );
    }
    let probes: Vec<_> =
        history.asked.iter().filter(|it| it.kind == Kind::Probe).map(|it| &it.run).collect();
    if !probes.is_empty() {
        let calls = history.calls.iter().filter(|it| probes.contains(&&it.run));
        let (seen, slots) = (overlapping(calls), history.bounds.slots * RUNTIMES);
        if seen < slots {
            found.push(format!(
                "{seen} executions were done at a time where there are {slots} slots"
            ));
        }
    }
    found
}

/// No organization has more executions of an agent under way at a time than that agent's cap.
pub fn caps_hold(history: &History) -> Vec<String> {
    let kinds = history.kinds();
    let mut organizations: BTreeMap<&str, Vec<&Call>> = BTreeMap::new();
    for call in history.calls.iter().filter(|it| kinds.of(&it.run) == Some(Kind::Capped)) {
        organizations.entry(call.organization()).or_default().push(call);
    }
    let most = organizations.into_iter().map(|(it, calls)| (it, overlapping(calls)));
    let beyond = most.filter(|(_, most)| CAP < *most);
    beyond
        .map(|(it, most)| format!("organization {it} had {most} calls at a time, its cap is {CAP}"))
        .collect()
}

/// The most calls that were under way at one time, by the remote's clock.
pub fn overlapping<'a>(calls: impl IntoIterator<Item = &'a Call>) -> usize {
    let mut changes: Vec<(Time, i32)> = Vec::new();
    for call in calls {
        changes.push((call.at, 1));
        // One that was never over ended with its connection, at once.
        changes.push((call.over().unwrap_or(call.at), -1));
    }
    // Ends come before beginnings of the same moment.
    changes.sort_unstable();
    let (mut now, mut most) = (0, 0);
    for (_, change) in changes {
        now += change;
        most = most.max(now);
    }
    usize::try_from(most).unwrap_or(0)
}
