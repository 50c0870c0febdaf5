//! Steps are done once.

use crate::chaos::{
    clocks::SLACK,
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
