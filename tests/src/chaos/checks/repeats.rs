//! Calls are repeated for a reason only.

use super::takeover::CLOSED_WITHIN;
use crate::chaos::{
    clocks::{SLACK, delta},
    fault::{Struck, Taking},
    history::{Call, Fate, History},
};
use chrono::TimeDelta;
use std::collections::BTreeSet;

/// So long before its process is gone an answer may have come and not be written down yet.
const WRITTEN_WITHIN: TimeDelta = TimeDelta::seconds(1);

/// A step is called again only if the call before it was refused, or a fault took that call from whoever made it; always under the same
/// key, and never oftener than it was attempted. It takes effect twice at most when its processes are lost, and else once more for each fault.
pub fn repeats_have_a_cause(history: &History) -> Vec<String> {
    let executions = history.executions_by_run();
    let mut found = Vec::new();
    for ((run, key), calls) in history.calls_by_step() {
        let name = format!("{run} {key}");
        for pair in calls.windows(2) {
            found.extend(wrong(history, &name, pair[0], pair[1]));
        }
        found.extend(too_often(history, &name, &calls));
        let attempts = executions.get(run).and_then(|it| it.step(key)).map_or(0, |it| it.attempt);
        if usize::try_from(attempts).unwrap_or(0) < calls.len() {
            let times = calls.len();
            found.push(format!("{name} was called {times} times in {attempts} attempts"));
        }
    }
    found
}

/// What is wrong with one repetition.
fn wrong(history: &History, name: &str, before: &Call, after: &Call) -> Vec<String> {
    let mut found = Vec::new();
    if before.key != after.key {
        let keys = (&before.key, &after.key);
        found.push(format!("{name} was called under two keys: {keys:?}"));
    }
    let fate = before.fate();
    if fate != Fate::Refused && causes(history, before, after).next().is_none() {
        let gap = after.at - before.at;
        found.push(format!("{name} was repeated after {gap} without a fault ({fate:?})"));
    }
    found
}

/// Effects beyond those that faults have hidden from whoever asked for them.
fn too_often(history: &History, name: &str, calls: &[&Call]) -> Option<String> {
    let effects = calls.iter().filter(|it| it.fate() == Fate::Succeeded).count();
    let hidden = calls.windows(2).filter(|pair| pair[0].fate() == Fate::Succeeded);
    let faults: Vec<_> = hidden.flat_map(|pair| causes(history, pair[0], pair[1])).collect();
    let distinct = faults.iter().map(|it| it.begun).collect::<BTreeSet<_>>().len();
    let only_processes = faults.iter().all(|it| it.fault.takes_work() == Some(Taking::Process));
    let most = 1 + if only_processes { distinct.min(1) } else { distinct };
    (most < effects).then(|| format!("{name} took effect {effects} times in {distinct} faults"))
}

/// The faults that may have taken a call from whoever made it, before it was repeated.
fn causes<'h>(
    history: &'h History,
    before: &'h Call,
    after: &'h Call,
) -> impl Iterator<Item = &'h Struck> {
    history.struck.iter().filter(move |it| may_have_taken(history, it, before, after))
}

fn may_have_taken(history: &History, struck: &Struck, before: &Call, after: &Call) -> bool {
    let Some(taking) = struck.fault.takes_work() else { return false };
    if after.at + SLACK < struck.begun {
        return false;
    }
    match (taking, before.answered, before.cut) {
        // It was under way, or answered just before.
        (Taking::Process, Some((_, at)), _) => {
            let slow = history.stood_still(at, struck.begun);
            let written = at + WRITTEN_WITHIN + slow;
            struck.begun <= written && at <= struck.ended + SLACK
        }
        (Taking::Process, None, Some(cut)) => {
            struck.begun <= cut && cut <= struck.ended + CLOSED_WITHIN
        }
        (Taking::Standing, ..) => {
            let over = before.over().unwrap_or(before.at);
            struck.begun <= over + WRITTEN_WITHIN && before.at <= struck.ended + SLACK
        }
        // A lease that could not be renewed ends up to its whole length after the fault that was the reason.
        (Taking::Database, ..) => before.at - SLACK <= struck.ended + delta(history.bounds.lease),
        (Taking::Answer, None, _) => {
            let over = before.over().unwrap_or(after.at);
            before.at <= struck.ended + SLACK && struck.begun <= over + SLACK
        }
        (Taking::Process, None, None) | (Taking::Answer, Some(_), _) => false,
    }
}
