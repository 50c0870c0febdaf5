//! What people ask for, and what the sweeper does.

use super::{Action, World};
use crate::model::{
    protocol::{Protection, Protocol},
    state::{Holder, Life, Phase, State, Stray},
};

impl World {
    pub(super) fn requests(&mut self, execution: usize) {
        let one = self.state.executions[execution];
        let is_first = execution == 0 || self.state.executions[execution - 1].life != Life::Absent;
        if one.life == Life::Absent && is_first && !self.state.is_locked(execution) {
            self.to(Action::Start(execution), |it| it.executions[execution].start());
        }
        let Some(row) = one.row else { return };
        if self.state.is_locked(execution) {
            return;
        }
        let protocol = self.protocol;
        let is_held = matches!(row.phase, Phase::Held(_));
        match row.phase {
            Phase::Delayed => {
                self.to(Action::Wake(execution), |it| turn(it, execution, Phase::Ready));
            }
            Phase::Paused => {
                self.to(Action::Resume(execution), |it| turn(it, execution, Phase::Ready));
            }
            Phase::Ready | Phase::Held(_) => {}
        }
        if self.state.spent.requests == self.protocol.bounds.requests {
            return;
        }
        let cancel = |it: &mut State| it.executions[execution].end(protocol, Life::Cancelled);
        let mut asks = |action, change: &dyn Fn(&mut State)| {
            self.to(action, |it| {
                it.spent.requests += 1;
                change(it);
            });
        };
        asks(Action::ForceCancel(execution), &cancel);
        if is_held {
            asks(Action::RequestCancel(execution), &|it| {
                let row = it.executions[execution].row.as_mut();
                row.expect("it was seen").cancel_requested = true;
            });
        }
        if matches!(row.phase, Phase::Ready | Phase::Delayed) {
            asks(Action::Pause(execution), &|it| turn(it, execution, Phase::Paused));
        }
    }

    pub(super) fn sweeps(&mut self, execution: usize) {
        let protocol = self.protocol;
        if !protocol.has(Protection::OrphansAreRescued) {
            return;
        }
        let phase = self.state.executions[execution].row.map(|it| it.phase);
        let is_alive = match phase {
            Some(Phase::Held(holder)) => Some(self.state.is_alive(holder)),
            Some(Phase::Ready | Phase::Delayed | Phase::Paused) | None => None,
        };
        let bit = 1 << execution;
        let is_spotted = self.state.spotted & bit != 0;
        // When it looks again, by the token, looking and putting back are as one.
        let is_orphan = is_alive == Some(false);
        let looks_again = protocol.has(Protection::RescueLooksAgain);
        let spots = !looks_again && is_orphan && !is_spotted;
        let rescues = if looks_again { is_orphan } else { is_spotted && is_alive.is_some() };
        if spots {
            self.to(Action::Spot(execution), |it| it.spotted |= bit);
        }
        if rescues {
            self.to(Action::Rescue(execution), |it| {
                it.spotted &= !bit;
                it.executions[execution].seen.living_robbed |= is_alive == Some(true);
                it.executions[execution].rescue(protocol);
            });
        }
    }

    pub(super) fn removes(&mut self) {
        let held = Some(Phase::Held(Holder::Old));
        let holds = self.state.executions.iter().any(|it| it.row.map(|it| it.phase) == held);
        let claims = |it: &Stray| matches!(it, Stray::Claim(Holder::Old, _));
        if !holds && !self.state.strays.iter().flatten().any(claims) {
            return;
        }
        let protocol = self.protocol;
        self.to(Action::Remove, |it| {
            if !protocol.has(Protection::OrphansAreRescued) {
                rescue_seen(protocol, it, Holder::Old);
            }
            it.rename(Holder::Old, Holder::Gone);
        });
    }
}

fn turn(state: &mut State, execution: usize, phase: Phase) {
    if let Some(row) = state.executions[execution].row.as_mut() {
        row.phase = phase;
    }
}

/// The sweeper that looks only at the worker that it removes.
pub(super) fn rescue_seen(protocol: Protocol, state: &mut State, holder: Holder) {
    for execution in &mut state.executions {
        if execution.row.is_some_and(|it| it.phase == Phase::Held(holder)) {
            execution.rescue(protocol);
        }
    }
}
