//! Steps are done once, and calls are repeated for a reason only.

use crate::chaos::{
    clocks::{SLACK, delta},
    fault::Struck,
    history::{Call, Fate, History},
    load::Effect,
};
use chrono::TimeDelta;
use std::collections::BTreeMap;

/// At most one end is written of each attempt, and one success of each step.
pub fn an_attempt_is_completed_once(history: &History) -> Vec<String> {
    let mut found = Vec::new();
    for it in &history.tables.executions {
        let mut ends: BTreeMap<(&str, Option<i32>), usize> = BTreeMap::new();
        let mut successes: BTreeMap<&str, usize> = BTreeMap::new();
        for event in &it.events {
            let Some(key) = event.step_key.as_deref() else { continue };
            if event.kind == "step_succeeded" {
                *successes.entry(key).or_default() += 1;
            }
            let end =
                matches!(event.kind.as_str(), "step_succeeded" | "step_failed" | "step_retry");
            if end && event.attempt.is_some() {
                *ends.entry((key, event.attempt)).or_default() += 1;
            }
        }
        let twice = ends.iter().filter(|(_, times)| 1 < **times);
        found.extend(twice.map(|((key, attempt), times)| {
            format!("attempt {attempt:?} of {} {key} was completed {times} times", it.run)
        }));
        let twice = successes.iter().filter(|(_, times)| 1 < **times);
        found.extend(twice.map(|(key, times)| format!("{} {key} succeeded {times} times", it.run)));
        // More attempts than the step counts would be attempts that nobody owns.
        let too_many = it.steps.iter().filter(|step| i64::from(step.attempt) < step.actions);
        found.extend(too_many.map(|step| {
            format!(
                "{} {} counts {} attempts of {}",
                it.run, step.step_key, step.attempt, step.actions
            )
        }));
    }
    found
}

/// From the commit that says that a call begins to the call itself, on a machine that is busy.
const ON_ITS_WAY: TimeDelta = TimeDelta::seconds(1);

/// The remote hears of no step after that step has finished, and has heard of every one that has succeeded.
///
/// A cancellation ends a step whose call has just begun: nobody can take that call back.
pub fn finished_steps_are_not_repeated(history: &History) -> Vec<String> {
    let (calls, kinds) = (history.calls_by_step(), history.kinds());
    let mut found = Vec::new();
    for it in &history.tables.executions {
        // Only of those that call.
        for step in it.steps.iter().filter(|at| kinds.step(&it.run, &at.step_key).is_some()) {
            let Some(finished) = step.finished_at else { continue };
            let calls = calls.get(&(it.run.as_str(), step.step_key.as_str()));
            let calls = calls.map_or(&[][..], Vec::as_slice);
            let name = format!("{} {}", it.run, step.step_key);
            if step.state == "succeeded" && !calls.iter().any(|it| it.fate() == Fate::Succeeded) {
                found.push(format!("{name} has succeeded, and the remote never said so"));
            }
            let begun = it.events.iter().filter(|event| {
                let of_step = event.step_key.as_deref() == Some(&step.step_key);
                of_step && event.kind == "step_started" && event.at <= finished
            });
            let begun = begun.map(|event| event.at).max();
            let was_on_its_way = |call: &&Call| {
                let soon = begun.is_some_and(|at| call.at <= at + ON_ITS_WAY);
                step.state == "cancelled" && soon
            };
            let late = calls.iter().copied().filter(|it| finished + SLACK < it.at);
            let late = late.filter(|it| !was_on_its_way(it));
            found.extend(
                late.map(|it| format!("{name} was called {} after its end", it.at - finished)),
            );
        }
    }
    found
}

/// A step is called again only if the call before it was refused, or a fault lies between the two; always under the same key;
/// and never oftener than it was attempted. It takes effect once more for each fault at most.
pub fn repeats_have_a_cause(history: &History) -> Vec<String> {
    let executions = history.executions_by_run();
    let mut found = Vec::new();
    for ((run, key), calls) in history.calls_by_step() {
        for pair in calls.windows(2) {
            let [before, after] = [pair[0], pair[1]];
            if before.key != after.key {
                let keys = (&before.key, &after.key);
                found.push(format!("{run} {key} was called under two keys: {keys:?}"));
            }
            let fate = before.fate();
            if fate != Fate::Refused && faults_between(history, before, after) == 0 {
                let gap = after.at - before.at;
                found.push(format!(
                    "{run} {key} was repeated after {gap} without a fault ({fate:?})"
                ));
            }
        }
        let successes = calls.iter().filter(|it| it.fate() == Fate::Succeeded).count();
        let faults = faults_between(history, calls[0], calls[calls.len() - 1]);
        if 1 + faults < successes {
            found.push(format!("{run} {key} took effect {successes} times in {faults} faults"));
        }
        let attempts = executions.get(run).and_then(|it| it.step(key)).map_or(0, |it| it.attempt);
        if usize::try_from(attempts).unwrap_or(0) < calls.len() {
            let times = calls.len();
            found.push(format!("{run} {key} was called {times} times in {attempts} attempts"));
        }
    }
    found
}

/// How many faults may be why work changed hands between two calls. A lease that could not be renewed ends up to its whole length
/// after the fault that was the reason.
fn faults_between(history: &History, before: &Call, after: &Call) -> usize {
    let lease = delta(history.bounds.lease);
    let between =
        |it: &&Struck| before.at - SLACK <= it.ended + lease && it.begun <= after.at + SLACK;
    history.struck.iter().filter(between).count()
}

/// A call that must not be repeated comes once, whatever happens.
pub fn unrepeatable_calls_come_once(history: &History) -> Vec<String> {
    let kinds = history.kinds();
    let mut found = Vec::new();
    for ((run, key), calls) in history.calls_by_step() {
        if kinds.step(run, key).is_some_and(|it| it.effect == Effect::AtMostOnce) && 1 < calls.len()
        {
            found.push(format!("{run} {key} must not be repeated and came {} times", calls.len()));
        }
    }
    found
}
