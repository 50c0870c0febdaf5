//! What watchers were told is what happened.

use crate::chaos::history::{Execution, History};

/// Every watcher got every event once and in order, however often it had to connect, and its stream ended after the final one.
pub fn watchers_see_every_event(history: &History) -> Vec<String> {
    let executions = history.executions_by_run();
    let mut found = Vec::new();
    for it in &history.asked {
        let Some(watched) = &it.watched else { continue };
        let Some(execution) = executions.get(it.run.as_str()) else { continue };
        let told: Vec<(i64, String)> = watched
            .events
            .iter()
            .map(|(seq, kind)| (*seq, kind.as_str_name().to_lowercase()))
            .collect();
        let true_ones = as_told(execution);
        if told != true_ones {
            let at = told.iter().zip(&true_ones).take_while(|(told, it)| told == it).count();
            found.push(format!(
                "the watcher of {} was told {:?} where {:?} happened, in {} connections",
                it.run,
                told.get(at),
                true_ones.get(at),
                watched.connections
            ));
        } else if !watched.ended {
            found.push(format!("the watch of {} did not end", it.run));
        }
    }
    found
}

fn as_told(execution: &Execution) -> Vec<(i64, String)> {
    execution.events.iter().map(|it| (it.seq, format!("event_type_{}", it.kind))).collect()
}
