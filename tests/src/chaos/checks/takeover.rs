//! How soon somebody goes on with what a process has left.

use crate::chaos::{
    clocks::{Time, delta},
    fault::{Fault, Struck, Victim},
    history::{Call, Execution, History},
};
use chrono::TimeDelta;

/// How soon after a SIGKILL the connections of the dead process are seen to be closed.
pub(super) const CLOSED_WITHIN: TimeDelta = TimeDelta::milliseconds(300);

/// Work that somebody had to leave, and when it went on.
#[derive(Clone, Debug)]
pub struct Takeover<'a> {
    pub fault: &'a Struck,
    pub call: &'a Call,
    /// The next that was seen of the execution: the next call or the end, or that a person is asked what became of the call.
    pub next: Option<Time>,
    /// The bound, later by what kept others from taking it.
    pub due: Time,
}

/// Each call that was cut when a runtime-service was killed or asked to stop; but for those that began after it and were cut because
/// somebody cancelled them.
pub fn takeovers(history: &History) -> Vec<Takeover<'_>> {
    let mut all = Vec::new();
    let executions = history.executions_by_run();
    for fault in &history.struck {
        let Some((bound, closed_within)) = bound(history, fault) else { continue };
        let cut_then = |it: &&Call| {
            it.cut.is_some_and(|at| fault.begun <= at && at <= fault.begun + closed_within)
        };
        for call in history.calls.iter().filter(cut_then) {
            let calls = history.calls.iter().filter(|it| it.run == call.run && call.at < it.at);
            let next = calls.map(|it| it.at).min();
            let execution = executions.get(call.run.as_str());
            // What was under way at the fault had to go on, whatever was asked of it later.
            let began_later = fault.begun < call.at;
            if began_later && execution.is_some_and(|it| it.was_cancelled_before(call.cut)) {
                continue;
            }
            let ended = execution.and_then(|it| it.finished_at);
            let asked = execution.and_then(|it| it.asked_after(fault.begun));
            let next = [next, ended, asked].into_iter().flatten().min();
            all.push(Takeover { fault, call, next, due: due(history, fault, bound) });
        }
    }
    all
}

/// Within the lease and a second after a SIGKILL, within a second after a SIGTERM.
pub fn takeover_is_quick(history: &History) -> Vec<String> {
    let (kinds, executions) = (history.kinds(), history.executions_by_run());
    let late = takeovers(history).into_iter().filter_map(|it| {
        let allowed = it.due + history.stood_still(it.fault.begun, it.due);
        let went_on = it.next.filter(|at| *at <= allowed);
        let waited = it.next.map_or("never".to_owned(), |at| {
            format!("{} ms later", (at - it.fault.begun).num_milliseconds())
        });
        let due = (it.due - it.fault.begun).num_milliseconds();
        went_on.is_none().then(|| {
            let (run, step) = (&it.call.run, &it.call.step);
            let kind = kinds.of(run).map_or(String::new(), |it| format!(" ({it:?})"));
            let told = executions.get(run.as_str()).map_or(String::new(), |execution| told(execution, &it));
            format!(
                "{run}{kind} {step} was left by {} and went on {waited}, not within {due} ms; its events since: {told}",
                it.fault.fault
            )
        })
    });
    late.collect()
}

/// What was told of an execution between the fault and the next that was seen of it: who reads of it sees where the time went.
fn told(execution: &Execution, takeover: &Takeover<'_>) -> String {
    let begun = takeover.fault.begun;
    let events = execution.events.iter().filter(|it| begun <= it.at);
    let events = events.take_while(|it| takeover.next.is_none_or(|next| it.at <= next));
    let events = events.map(|it| {
        let step = it.step_key.as_deref().map_or(String::new(), |it| format!(" {it}"));
        format!("{}{step} after {} ms", it.kind, (it.at - begun).num_milliseconds())
    });
    events.collect::<Vec<_>>().join(", ")
}

fn bound(history: &History, struck: &Struck) -> Option<(TimeDelta, TimeDelta)> {
    let bounds = &history.bounds;
    if let Fault::Kill(Victim::Runtime(_)) = struck.fault {
        return Some((delta(bounds.lease + bounds.after_kill), CLOSED_WITHIN));
    }
    let bound = delta(bounds.after_stop);
    matches!(struck.fault, Fault::Stop(Victim::Runtime(_))).then_some((bound, bound))
}

/// Other faults in that time keep work from being taken up, or take it from whoever has: the time begins again after them.
fn due(history: &History, struck: &Struck, bound: TimeDelta) -> Time {
    let mut due = struck.begun + bound;
    let again = delta(history.bounds.lease + history.bounds.after_kill);
    for other in &history.struck {
        let itself = other.begun == struck.begun;
        if !itself && other.fault.hinders_work() && struck.begun < other.ended && other.begun < due
        {
            due = due.max(other.ended + again);
        }
    }
    due
}
