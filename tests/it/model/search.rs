//! Breadth-first search through all states, so that what it finds is found by the shortest way.

use super::{
    actions::{Action, successors},
    invariants::{Invariant, is_done, violations},
    protocol::Protocol,
    state::{Life, State},
};
use std::{
    collections::{HashMap, HashSet, hash_map::Entry},
    hash::{BuildHasherDefault, Hasher},
    mem::{Discriminant, discriminant},
};

/// More than any bounds in here lead to: a wrong bound stops instead of filling the memory.
const STATES_MAX: usize = 3_000_000;

/// What an exploration came to.
pub(super) struct Explored {
    pub(super) states: usize,
    pub(super) transitions: usize,
    /// Kinds of actions that happened.
    pub(super) kinds: usize,
    /// Whether executions ended in each of these ways somewhere.
    pub(super) ends: [(Life, bool); 3],
    /// How the first that broke is broken: what happened, and the state after it.
    pub(super) broken: Option<String>,
}

/// Explores every state within the bounds, up to the first that breaks one of `watched`.
pub(super) fn explore(protocol: Protocol, watched: &[Invariant]) -> Explored {
    let mut search = Search::default();
    let broken = search.run(protocol, watched);
    let ends = [Life::Succeeded, Life::Failed, Life::Cancelled]
        .map(|life| (life, search.states.iter().any(|it| it.executions[0].life == life)));
    Explored {
        states: search.states.len(),
        transitions: search.transitions,
        kinds: search.kinds.len(),
        ends,
        broken,
    }
}

#[derive(Default)]
struct Search {
    states: Vec<State>,
    /// Where each state was come to from first, and by what. The first state points at itself.
    from: Vec<(u32, Option<Action>)>,
    known: HashMap<State, u32, BuildHasherDefault<Mixer>>,
    /// (to, from) of what happens by itself.
    progress: Vec<(u32, u32)>,
    transitions: usize,
    kinds: HashSet<Discriminant<Action>, BuildHasherDefault<Mixer>>,
}

impl Search {
    fn run(&mut self, protocol: Protocol, watched: &[Invariant]) -> Option<String> {
        let everything_ends = watched.contains(&Invariant::EverythingEnds);
        self.add(State::first(), 0, None);
        let mut at = 0;
        while at < self.states.len() {
            let state = self.states[at];
            let broken = violations(protocol, &state);
            if let Some(invariant) = broken.into_iter().find(|it| watched.contains(it)) {
                return Some(self.trace(at, invariant));
            }
            let from = index(at);
            for (action, next) in successors(protocol, &state) {
                self.transitions += 1;
                self.kinds.insert(discriminant(&action));
                let to = self.add(next, from, Some(action));
                if everything_ends && action.is_progress() {
                    self.progress.push((to, from));
                }
            }
            assert!(self.states.len() < STATES_MAX, "the bounds are too wide: {protocol:?}");
            at += 1;
        }
        let stuck = everything_ends.then(|| self.stuck(protocol)).flatten()?;
        Some(self.trace(stuck, Invariant::EverythingEnds))
    }

    fn add(&mut self, state: State, from: u32, action: Option<Action>) -> u32 {
        let next = index(self.states.len());
        match self.known.entry(state) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(free) => {
                free.insert(next);
                self.states.push(state);
                self.from.push((from, action));
                next
            }
        }
    }

    /// The first state from which what happens by itself leads to no end.
    fn stuck(&mut self, protocol: Protocol) -> Option<usize> {
        self.progress.sort_unstable();
        let mut ends: Vec<bool> = self.states.iter().map(|it| is_done(protocol, it)).collect();
        let mut open: Vec<u32> =
            ends.iter().enumerate().filter(|it| *it.1).map(|it| index(it.0)).collect();
        while let Some(to) = open.pop() {
            let first = self.progress.partition_point(|it| it.0 < to);
            for (_, from) in self.progress[first..].iter().take_while(|it| it.0 == to) {
                if !std::mem::replace(&mut ends[*from as usize], true) {
                    open.push(*from);
                }
            }
        }
        ends.iter().position(|it| !it)
    }

    fn trace(&self, mut at: usize, invariant: Invariant) -> String {
        let last = self.states[at];
        let mut actions = Vec::new();
        while let (from, Some(action)) = self.from[at] {
            actions.push(action);
            at = from as usize;
        }
        let mut lines: Vec<_> = actions.iter().rev().map(|it| format!("{it:?}")).collect();
        lines.push(format!("after which {invariant:?} does not hold in"));
        lines.extend(last.executions.iter().map(|it| format!("{it:?}")));
        lines.extend(last.processes.iter().map(|it| format!("{it:?}")));
        lines.extend(last.strays.iter().flatten().map(|it| format!("{it:?}")));
        lines.join("\n")
    }
}

fn index(at: usize) -> u32 {
    u32::try_from(at).expect("there are fewer states")
}

/// A quick hash for keys that nobody chooses to do harm.
#[derive(Default)]
struct Mixer(u64);

impl Mixer {
    fn mix(&mut self, value: u64) {
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}

impl Hasher for Mixer {
    fn finish(&self) -> u64 {
        // The map reads the upper bits and the lower ones.
        self.0 ^ (self.0 >> 32)
    }

    fn write(&mut self, bytes: &[u8]) {
        for it in bytes {
            self.mix(u64::from(*it));
        }
    }

    fn write_u8(&mut self, value: u8) {
        self.mix(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.mix(u64::from(value));
    }

    fn write_isize(&mut self, value: isize) {
        self.mix(value.unsigned_abs() as u64);
    }
}
