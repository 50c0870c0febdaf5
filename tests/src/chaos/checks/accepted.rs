//! What was answered is there, once.

use crate::chaos::{clocks::SLACK, history::History};
use std::collections::BTreeMap;
use tonic::Code;

/// Every execution that a caller has the id of is in the tables, under that id and that name.
pub fn nothing_acknowledged_is_lost(history: &History) -> Vec<String> {
    let known = history.executions_by_run();
    let lost = history.asked.iter().filter_map(|it| {
        let Some((_, id)) = &it.acknowledged else {
            return Some(format!("{} was never answered", it.run));
        };
        let there = known.get(it.run.as_str()).is_some_and(|it| it.id.to_string() == *id);
        (!there).then(|| format!("{} was acknowledged as {id} and is not there", it.run))
    });
    lost.collect()
}

/// A request that is made again gets the same answer, and there is no second execution of it, answered or not.
pub fn a_request_makes_one_execution(history: &History) -> Vec<String> {
    let mut found = Vec::new();
    for it in &history.asked {
        if let (Some((_, first)), Some(again)) = (&it.acknowledged, &it.again)
            && first != again
        {
            found.push(format!("{} was answered with {first} and then with {again}", it.run));
        }
    }
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    for it in &history.tables.executions {
        *times.entry(it.run.as_str()).or_default() += 1;
    }
    let twice = times.iter().filter(|(_, times)| 1 < **times);
    found.extend(twice.map(|(run, times)| format!("{run} is there {times} times")));
    found
}

/// The remote hears nothing of an execution before the time that its caller named.
pub fn nothing_begins_early(history: &History) -> Vec<String> {
    let mut early = Vec::new();
    for it in &history.asked {
        let Some(not_before) = it.not_before else { continue };
        let first =
            history.calls.iter().filter(|call| call.run == it.run).map(|call| call.at).min();
        if let Some(first) = first.filter(|at| *at + SLACK < not_before) {
            early.push(format!("{} began {} early", it.run, not_before - first));
        }
    }
    early
}

/// A caller who is refused is told to come again: nothing here is the caller's own fault.
pub fn refusals_are_passing(history: &History) -> Vec<String> {
    let passing = [
        Code::Unavailable,
        Code::Aborted,
        Code::DeadlineExceeded,
        Code::Cancelled,
        Code::ResourceExhausted,
    ];
    let mut found = Vec::new();
    for it in &history.asked {
        let watched = it.watched.iter().flat_map(|it| &it.refusals);
        let wrong = it.refusals.iter().chain(watched).filter(|refusal| {
            // What the wire makes of a dead process may be called anything.
            refusal.deliberate && !passing.contains(&refusal.code)
        });
        found.extend(wrong.map(|no| format!("{} was told {:?}: {}", it.run, no.code, no.message)));
    }
    found
}
