//! Claims, and what a worker does when it has lost its row or finds more in its name than it knows of.

use super::{Action, World, holder};
use crate::model::{
    protocol::Protection,
    state::{Belief, Claim, Execution, Holder, Life, Phase, Stage, State, Step, Stray},
};

impl World {
    pub(super) fn claims(&mut self, process: usize) {
        let one = self.state.processes[process];
        if let Some(claim) = one.claim {
            return self.to(Action::Commit(process), |it| {
                it.processes[process].claim = None;
                commit(it, holder(process), claim);
                for execution in picked(claim) {
                    it.processes[process].beliefs[execution] =
                        Some(believe(&it.executions[execution]));
                }
            });
        }
        for claim in self.picks() {
            if one.registered {
                self.to(Action::Pick(process, claim), |it| {
                    it.processes[process].claim = Some(claim);
                });
            }
        }
    }

    /// What a claim may pick now.
    fn picks(&self) -> Vec<Claim> {
        let state = &self.state;
        let Some(room) = self.room() else { return Vec::new() };
        let free = |it: &usize| !state.is_locked(*it);
        let is_absent = |it: &usize| state.executions[*it].life == Life::Absent;
        let absent = self.executions().filter(free).find(is_absent);
        let eager = absent.map(|it| Claim { picked: 1 << it, eager: true });
        let is_ready =
            |it: &usize| state.executions[*it].row.is_some_and(|it| it.phase == Phase::Ready);
        let ready: Vec<_> = self.executions().filter(free).filter(is_ready).collect();
        let all = ready.iter().fold(0, |all, it| all | 1 << it);
        let mut picks: Vec<_> = ready.iter().map(|it| 1 << it).collect();
        if 1 < ready.len() {
            picks.push(all);
        }
        let claims = picks.into_iter().map(|picked: u8| Claim { picked, eager: false });
        claims.chain(eager).filter(|it| it.picked.count_ones() <= room).collect()
    }

    /// How many executions a claim may take. It counts what is committed; `None` while it would wait for the lock.
    fn room(&self) -> Option<u32> {
        let Some(cap) = self.protocol.bounds.cap else { return Some(u32::MAX) };
        if !self.protocol.has(Protection::CapIsCounted) {
            return Some(u32::MAX);
        }
        let waits =
            self.protocol.has(Protection::CapIsLocked) && self.state.claims().next().is_some();
        (!waits).then(|| cap.saturating_sub(self.state.live_leases()).into())
    }

    pub(super) fn heartbeats(&mut self, process: usize) {
        let one = self.state.processes[process];
        if !one.registered {
            if self.protocol.has(Protection::IdentityIsNew) {
                self.renews(process);
            } else {
                self.to(Action::Renew(process), |it| it.processes[process].registered = true);
            }
            return;
        }
        // It looks between two claims: what a claim has just been given is not unknown.
        if one.claim.is_some() || !self.protocol.has(Protection::UnknownIsHandedBack) {
            return;
        }
        for execution in self.executions() {
            let Some(row) = self.state.executions[execution].row else { continue };
            let is_known = one.beliefs[execution].is_some_and(|it| it.token == row.token);
            if is_known || row.phase != Phase::Held(holder(process)) {
                continue;
            }
            let protocol = self.protocol;
            self.to(Action::HandBack(process, execution), |it| {
                let held = &mut it.executions[execution];
                if protocol.has(Protection::UnknownIsNotAdopted) {
                    held.put_back(protocol, Phase::Ready);
                } else {
                    held.grants += 1;
                    it.processes[process].beliefs[execution] = Some(believe(held));
                }
            });
        }
    }

    /// A new identity. It does not take what a claim under the old one may still be given.
    fn renews(&mut self, process: usize) {
        let claim = self.state.processes[process].claim;
        let next = match claim.map(|it| Stray::Claim(holder(process), it)) {
            Some(stray) => self.state.with_stray(stray),
            None => Some(self.state),
        };
        if let Some(mut next) = next {
            next.renew_identity(process);
            self.next.push((Action::Renew(process), next));
        }
    }
}

fn picked(claim: Claim) -> impl Iterator<Item = usize> {
    (0..8).filter(move |it| claim.picked & (1 << it) != 0)
}

pub(super) fn commit(state: &mut State, holder: Holder, claim: Claim) {
    for execution in picked(claim) {
        if claim.eager {
            state.executions[execution].start();
        }
        state.executions[execution].grant(holder);
    }
}

/// What the holder reads when it begins its turn.
fn believe(execution: &Execution) -> Belief {
    Belief {
        token: execution.row.map_or(0, |it| it.token),
        grant: execution.grants,
        stage: if execution.step == Step::Succeeded { Stage::ToEnd } else { Stage::ToBegin },
        attempt: execution.step_attempt + 1,
        unsure: None,
    }
}
