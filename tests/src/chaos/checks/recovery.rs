//! Services outlive their database, and work flows again soon after.

use crate::chaos::{
    clocks::{Time, delta},
    fault::{Fault, Struck},
    history::History,
    load::{Asked, Kind},
};
use chrono::TimeDelta;

/// Of what flows without a fault, so many of a hundred must flow again.
const SHARE_MIN: usize = 98;
/// Work counts as flowing if it ends within so many times the median of the time before the fault and a second more.
const TIMES_MEDIAN: i32 = 2;
const GRACE: TimeDelta = TimeDelta::seconds(1);

/// No process ends that nobody has ended.
pub fn services_stay_up(history: &History) -> Vec<String> {
    let exits = history.exits.iter();
    exits
        .map(|it| format!("{} ended with {} at {}\n{}", it.process, it.status, it.at, it.log))
        .collect()
}

/// How many were asked for, and how many of them were done in time, before a fault and after it.
#[derive(Clone, Copy, Debug)]
pub struct Flow {
    pub before: (usize, usize),
    pub after: (usize, usize),
}

/// Why the flow around a fault is not known.
#[derive(Clone, Copy, Debug, thiserror::Error)]
pub enum Unmeasured {
    #[error("{other} is too near: {} ms may pass until what is asked for is done", in_time.num_milliseconds())]
    Disturbed { other: Fault, in_time: TimeDelta },
    #[error("nobody asked for anything {0} it")]
    NobodyAsked(&'static str),
}

/// After each fault of the database, what is asked for is done as promptly as before it, at 98 of 100 or better.
pub fn work_flows_again(history: &History) -> Vec<String> {
    let mut found = Vec::new();
    for struck in history.struck.iter().filter(|it| it.fault.is_of_the_database()) {
        let Ok(Flow { before, after }) = flow(history, struck) else { continue };
        // after.1 / after.0 < 0.98 * before.1 / before.0, without fractions.
        if after.1 * 100 * before.0 < SHARE_MIN * before.1 * after.0 {
            let seconds = history.bounds.back_within.as_secs_f64();
            found.push(format!(
                "{seconds} s after {} {} of {} were done in time, before it {} of {}",
                struck.fault, after.1, after.0, before.1, before.0
            ));
        }
    }
    found
}

/// The flow around a fault, where no other fault is too near for it to be measured.
pub fn flow(history: &History, struck: &Struck) -> Result<Flow, Unmeasured> {
    let measured = delta(history.bounds.measured_for);
    let from = struck.ended + delta(history.bounds.back_within);
    let in_time = in_time(history, struck.begun);
    let (begin, end) = (struck.begun - measured - in_time, from + measured + in_time);
    let disturbs = |other: &&Struck| {
        let itself = other.begun == struck.begun;
        !itself && begin <= other.ended && other.begun <= end
    };
    if let Some(other) = history.struck.iter().find(disturbs) {
        return Err(Unmeasured::Disturbed { other: other.fault, in_time });
    }
    let count = |from, to| promptly(history, from, to, in_time);
    let before = count(struck.begun - measured - in_time, struck.begun - in_time);
    let after = count(from, from + measured);
    match (before, after) {
        ((0, _), _) => Err(Unmeasured::NobodyAsked("before")),
        (_, (0, _)) => Err(Unmeasured::NobodyAsked("after")),
        _ => Ok(Flow { before, after }),
    }
}

/// Of those asked for between two times: all, and those done in time.
fn promptly(history: &History, from: Time, to: Time, in_time: TimeDelta) -> (usize, usize) {
    let allowed = in_time + history.stood_still(from, to + in_time);
    let asked = history.asked.iter().filter(|it| counts(it) && from <= it.at && it.at < to);
    let executions = history.executions_by_run();
    let took: Vec<Option<TimeDelta>> = asked
        .map(|it| {
            let ended = executions.get(it.run.as_str()).and_then(|it| it.finished_at);
            ended.map(|at| at - it.at)
        })
        .collect();
    (took.len(), took.iter().flatten().filter(|it| **it <= allowed).count())
}

/// The plain ones: how long the others take is their own choice.
fn counts(asked: &Asked) -> bool {
    matches!(asked.kind, Kind::Steps | Kind::Reads)
}

/// By what was done before the fault: whatever is slow after it must not be the measure of itself.
fn in_time(history: &History, fault: Time) -> TimeDelta {
    let executions = history.executions_by_run();
    let asked = history.asked.iter().filter(|it| counts(it));
    let took = asked.filter_map(|it| {
        let ended = executions.get(it.run.as_str())?.finished_at?;
        (ended < fault).then(|| ended - it.at)
    });
    let mut took: Vec<TimeDelta> = took.collect();
    took.sort_unstable();
    let median = took.get(took.len() / 2).copied().unwrap_or_default();
    median * TIMES_MEDIAN + GRACE
}
