//! Everything that can happen next, in every order and with every fault that the bounds allow.

mod claims;
mod faults;
mod sweeps;
mod writes;

use super::{
    database::Answer,
    protocol::Protocol,
    state::{Claim, Holder, Op, PROCESSES, State, Stray},
};

/// The numbers are those of processes and executions, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    Start(usize),
    /// A claim has picked its rows.
    Pick(usize, Claim),
    /// The claim is committed and answered.
    Commit(usize),
    Send(usize, usize, Op, Answer),
    /// A write as well, which nothing but a wish of the holder leads to.
    HandOver(usize, usize, Op, Answer),
    /// The process finds its row of `workers` removed.
    Renew(usize),
    HandBack(usize, usize),
    /// The sweeper removes the row of a worker that is no more.
    Remove,
    /// The sweeper sees what has no worker.
    Spot(usize),
    /// The sweeper puts it back.
    Rescue(usize),
    Wake(usize),
    Resume(usize),
    RequestCancel(usize),
    ForceCancel(usize),
    Pause(usize),
    /// What nobody waits for reaches the database, late.
    Arrive(Stray),
    /// It never does.
    Vanish(Stray),
    /// A write may have been sent at that moment.
    Kill(usize, Option<(usize, Op)>),
    /// Frozen, or cut off, for so long that the sweeper removes its row; it knows nothing of it.
    Freeze(usize),
    /// The connection breaks under a write.
    Cut(usize, usize, Op),
    CutClaim(usize),
    /// The task of an execution is gone and the process lives on.
    GiveUp(usize, usize),
}

impl Action {
    /// How many kinds there are. One of them, [`Self::Spot`], is there only where the sweeper does not look again.
    pub(super) const KINDS: usize = 22;

    /// Whether it happens by itself when faults, people and handing over stop.
    pub(super) fn is_progress(self) -> bool {
        match self {
            Self::Start(_)
            | Self::Send(..)
            | Self::Pick(..)
            | Self::Commit(_)
            | Self::Renew(_)
            | Self::HandBack(..)
            | Self::Remove
            | Self::Spot(_)
            | Self::Rescue(_)
            | Self::Wake(_)
            | Self::Resume(_)
            | Self::Arrive(_)
            | Self::Vanish(_) => true,
            Self::HandOver(..)
            | Self::RequestCancel(_)
            | Self::ForceCancel(_)
            | Self::Pause(_)
            | Self::Kill(..)
            | Self::Freeze(_)
            | Self::Cut(..)
            | Self::CutClaim(_)
            | Self::GiveUp(..) => false,
        }
    }
}

/// Where `state` can go.
pub(super) fn successors(protocol: Protocol, state: &State) -> Vec<(Action, State)> {
    let mut world = World { protocol, state: *state, next: Vec::with_capacity(32) };
    for process in 0..PROCESSES {
        world.claims(process);
        world.heartbeats(process);
        for execution in world.executions() {
            world.writes(process, execution);
        }
        world.faults(process);
    }
    for execution in world.executions() {
        world.requests(execution);
        world.sweeps(execution);
    }
    world.removes();
    world.strays();
    world.next
}

struct World {
    protocol: Protocol,
    state: State,
    next: Vec<(Action, State)>,
}

impl World {
    fn executions(&self) -> std::ops::Range<usize> {
        0..usize::from(self.protocol.bounds.executions)
    }

    fn to(&mut self, action: Action, change: impl FnOnce(&mut State)) {
        let mut next = self.state;
        change(&mut next);
        self.next.push((action, next));
    }

    /// A fault, which may leave something on its way.
    fn fault(&mut self, action: Action, stray: Option<Stray>, change: impl FnOnce(&mut State)) {
        if self.state.spent.faults == self.protocol.bounds.faults {
            return;
        }
        let mut next = self.state;
        if let Some(stray) = stray {
            let Some(with) = next.with_stray(stray) else { return };
            next = with;
        }
        next.spent.faults += 1;
        change(&mut next);
        self.next.push((action, next));
    }
}

fn holder(process: usize) -> Holder {
    Holder::Process(u8::try_from(process).unwrap_or(u8::MAX))
}
