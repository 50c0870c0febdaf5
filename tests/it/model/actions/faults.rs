//! What goes wrong, and what was sent before it did.

use super::{Action, World, claims::commit, holder, sweeps::rescue_seen};
use crate::model::{
    protocol::Protection,
    state::{State, Stray},
};

impl World {
    pub(super) fn faults(&mut self, process: usize) {
        let one = self.state.processes[process];
        let number = holder(process);
        let claim = one.claim.map(|it| Stray::Claim(number, it));
        if one.claim.is_some() || one.beliefs.iter().any(Option::is_some) {
            self.fault(Action::Kill(process, None), claim, |it| it.renew_identity(process));
        }
        if one.claim.is_some() {
            self.fault(Action::CutClaim(process), claim, |it| it.processes[process].claim = None);
        }
        if one.registered {
            let protocol = self.protocol;
            self.fault(Action::Freeze(process), None, |it| {
                it.processes[process].registered = false;
                if !protocol.has(Protection::OrphansAreRescued) {
                    rescue_seen(protocol, it, number);
                }
            });
        }
        for execution in self.executions() {
            if one.beliefs[execution].is_some() {
                self.fault(Action::GiveUp(process, execution), None, |it| {
                    it.processes[process].beliefs[execution] = None;
                });
            }
        }
    }

    pub(super) fn strays(&mut self) {
        let protocol = self.protocol;
        for (index, stray) in self.state.strays.into_iter().enumerate() {
            let Some(stray) = stray else { continue };
            let gone = |it: &mut State| {
                it.strays[index] = None;
                it.strays.sort_unstable();
            };
            self.to(Action::Vanish(stray), gone);
            match stray {
                Stray::Claim(holder, claim) => self.to(Action::Arrive(stray), |it| {
                    gone(it);
                    commit(it, holder, claim);
                }),
                Stray::Write(execution, write) => {
                    let execution = usize::from(execution);
                    if !self.state.is_locked(execution) {
                        self.to(Action::Arrive(stray), |it| {
                            gone(it);
                            it.executions[execution].write(protocol, write);
                        });
                    }
                }
            }
        }
    }
}
