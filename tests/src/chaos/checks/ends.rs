//! Every execution has one end, and it comes last.

use crate::chaos::history::{Execution, History};

/// Every execution is in a final state that is right for its kind, and its last event says the same.
pub fn every_execution_ends_as_it_should(history: &History) -> Vec<String> {
    let kinds = history.kinds();
    let mut found = Vec::new();
    for it in &history.tables.executions {
        let told = it.events.last().map(|it| it.kind.as_str()).unwrap_or_default();
        if it.finished_at.is_none() {
            found.push(format!("{} ({}) does not end: {}, {told}", it.run, it.id, it.state));
        } else if told != format!("execution_{}", it.state) {
            found.push(format!("{} is {} and its last event {told}", it.run, it.state));
        } else if !kinds.may_end(&it.run, &it.state) {
            let error = it.error.as_deref().unwrap_or_default();
            found.push(format!("{} ended as {}: {error}", it.run, it.state));
        }
    }
    found
}

/// The events of an execution have no gap, and exactly one of them is final: the last.
pub fn the_final_event_is_one_and_last(history: &History) -> Vec<String> {
    history.tables.executions.iter().filter_map(wrong_sequence).collect()
}

fn wrong_sequence(it: &Execution) -> Option<String> {
    let seqs: Vec<i64> = it.events.iter().map(|event| event.seq).collect();
    if !seqs.iter().copied().eq(1..=it.last_event_seq) {
        return Some(format!("{} has events {seqs:?} up to {}", it.run, it.last_event_seq));
    }
    let finals = it.events.iter().filter(|event| event.is_final()).count();
    let last = it.events.last().is_some_and(super::super::history::Event::is_final);
    let ended = it.finished_at.is_some();
    let kinds = || it.events.iter().map(|event| event.kind.as_str()).collect::<Vec<_>>();
    (finals != usize::from(ended) || last != ended)
        .then(|| format!("{} has {finals} final events: {:?}", it.run, kinds()))
}
