//! What must hold in every state.

use super::{
    protocol::{Protection, Protocol},
    state::{Execution, Life, Phase, State},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Invariant {
    /// At most one end is accepted for an execution, and one outcome for an attempt.
    OneCompletion,
    NothingAfterTheEnd,
    /// There is exactly one terminal event, and it is the last.
    TerminalEventIsLast,
    EventsAreGapless,
    FinishedStepsStayFinished,
    /// A holder begins a step once.
    BegunOnce,
    /// What has not ended has its row, and nothing else has one.
    NothingIsLost,
    /// At most one believes that it holds an execution and could write; what it writes was given to it.
    OneHolder,
    /// Nobody whose row of `workers` is there loses a lease to the sweeper.
    TheLivingKeepTheirLeases,
    CapIsKept,
    /// When faults stop, everything ends.
    EverythingEnds,
}

impl Invariant {
    pub(super) const ALL: [Self; 11] = [
        Self::OneCompletion,
        Self::NothingAfterTheEnd,
        Self::TerminalEventIsLast,
        Self::EventsAreGapless,
        Self::FinishedStepsStayFinished,
        Self::BegunOnce,
        Self::NothingIsLost,
        Self::OneHolder,
        Self::TheLivingKeepTheirLeases,
        Self::CapIsKept,
        Self::EverythingEnds,
    ];
}

/// What is broken in `state`. [`Invariant::EverythingEnds`] is not of one state: the search decides it.
pub(super) fn violations(protocol: Protocol, state: &State) -> Vec<Invariant> {
    let mut broken = Vec::new();
    for (number, execution) in state.executions.iter().enumerate() {
        of_one(execution, &mut broken);
        if 1 < writers(protocol, state, number) {
            broken.push(Invariant::OneHolder);
        }
    }
    if protocol.bounds.cap.is_some_and(|it| it < state.live_leases()) {
        broken.push(Invariant::CapIsKept);
    }
    broken
}

fn of_one(execution: &Execution, broken: &mut Vec<Invariant>) {
    let is_final = execution.life.is_final();
    let gapless = (1_u32 << execution.last_seq) - 1;
    let is_last = execution.ends == 1 && execution.end_seq == execution.last_seq;
    let has_row = execution.row.is_some();
    let seen = execution.seen;
    let checks = [
        (execution.ends <= 1 && execution.outcomes <= 1, Invariant::OneCompletion),
        (!seen.written_after_end, Invariant::NothingAfterTheEnd),
        (if is_final { is_last } else { execution.ends == 0 }, Invariant::TerminalEventIsLast),
        (execution.seqs >> 1 == gapless, Invariant::EventsAreGapless),
        (!seen.finished_begun, Invariant::FinishedStepsStayFinished),
        (!seen.begun_twice, Invariant::BegunOnce),
        (has_row == (execution.life == Life::Open), Invariant::NothingIsLost),
        (!seen.written_by_another, Invariant::OneHolder),
        (!seen.living_robbed, Invariant::TheLivingKeepTheirLeases),
    ];
    broken.extend(checks.iter().filter(|it| !it.0).map(|it| it.1));
}

/// How many processes believe that they hold an execution and would not be refused.
fn writers(protocol: Protocol, state: &State, execution: usize) -> usize {
    let Some(row) = state.executions[execution].row else { return 0 };
    if !matches!(row.phase, Phase::Held(_)) {
        return 0;
    }
    let beliefs = state.processes.iter().filter_map(|it| it.beliefs[execution]);
    let fenced = protocol.has(Protection::Fencing);
    beliefs.filter(|it| it.token == row.token || !fenced).count()
}

/// Whether there is nothing left to do.
pub(super) fn is_done(protocol: Protocol, state: &State) -> bool {
    let all = usize::from(protocol.bounds.executions);
    state.executions[..all].iter().all(|it| it.life.is_final())
}
