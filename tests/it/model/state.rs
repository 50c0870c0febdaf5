//! One state of the world: the rows of the database, what each process believes, and what is still on its way.
//!
//! A process that was killed is the same as a new one that has not done anything yet, so there is no state for it. One that was
//! frozen goes on believing, with its worker's row removed. It is the strongest adversary: it is not stopped by its clock.

pub(super) const PROCESSES: usize = 2;
pub(super) const EXECUTIONS: usize = 2;
const STRAYS: usize = 3;

/// Whose row of `workers` a lease hangs on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Holder {
    /// The identity that this process has now.
    Process(u8),
    /// An identity that no process has any more; its row has not been removed yet.
    Old,
    /// An identity without a row.
    Gone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Phase {
    Ready,
    Delayed,
    Paused,
    Held(Holder),
}

/// A row of the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Row {
    pub(super) phase: Phase,
    pub(super) token: u8,
    pub(super) lost: u8,
    pub(super) cancel_requested: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Life {
    Absent,
    Open,
    Succeeded,
    Failed,
    Cancelled,
}

impl Life {
    pub(super) fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Step {
    Absent,
    Running,
    Succeeded,
}

/// An execution in the database, and below it what no table says: the ghosts that invariants are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Execution {
    pub(super) life: Life,
    pub(super) row: Option<Row>,
    pub(super) step: Step,
    pub(super) step_attempt: u8,
    pub(super) last_seq: u8,
    /// The numbers of the events that are there, one bit each.
    pub(super) seqs: u32,
    /// The number of the last terminal event.
    pub(super) end_seq: u8,
    /// How many terminal events were accepted.
    pub(super) ends: u8,
    /// How often it has been given to a worker. Never the same twice, whatever the token is.
    pub(super) grants: u8,
    /// The grant that began the step last.
    pub(super) begun_by: u8,
    /// Outcomes accepted for the attempt of the step.
    pub(super) outcomes: u8,
    pub(super) seen: Seen,
}

/// What a write did that none may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[expect(clippy::struct_excessive_bools, reason = "each may be true whatever the others are")]
pub(super) struct Seen {
    pub(super) written_after_end: bool,
    pub(super) written_by_another: bool,
    pub(super) finished_begun: bool,
    pub(super) begun_twice: bool,
    pub(super) living_robbed: bool,
}

/// What a worker writes for an execution that it holds. Each is one transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Op {
    Begin,
    /// The step has succeeded and the execution goes on.
    Finish,
    /// The step has succeeded and the execution with it.
    Complete,
    /// The execution has succeeded; its last step had already.
    End,
    Release,
    Suspend,
    Cancel,
}

/// How far the holder's program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Stage {
    ToBegin,
    Performing,
    ToEnd,
}

/// What a process believes of an execution: that it holds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Belief {
    pub(super) token: u8,
    pub(super) grant: u8,
    pub(super) stage: Stage,
    /// The attempt of the step that is to begin or under way.
    pub(super) attempt: u8,
    /// A write that was sent and not answered.
    pub(super) unsure: Option<Op>,
}

/// A write as it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Write {
    pub(super) op: Op,
    pub(super) token: u8,
    pub(super) grant: u8,
    pub(super) attempt: u8,
    /// An earlier try of the same may have been committed.
    pub(super) again: bool,
}

/// A claim that has picked and locked its rows, one bit each, and is not committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Claim {
    pub(super) picked: u8,
    /// It inserts the execution that it holds.
    pub(super) eager: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Process {
    /// Its row of `workers` is there.
    pub(super) registered: bool,
    pub(super) claim: Option<Claim>,
    pub(super) beliefs: [Option<Belief>; EXECUTIONS],
}

/// What nobody waits for any more and may still be committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Stray {
    Write(u8, Write),
    Claim(Holder, Claim),
}

/// What has been used up of the bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Spent {
    pub(super) faults: u8,
    pub(super) requests: u8,
    pub(super) handoffs: u8,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct State {
    pub(super) executions: [Execution; EXECUTIONS],
    pub(super) processes: [Process; PROCESSES],
    /// Sorted: their order means nothing.
    pub(super) strays: [Option<Stray>; STRAYS],
    /// What a sweeper has looked at and not put back yet, one bit each.
    pub(super) spotted: u8,
    pub(super) spent: Spent,
}

impl State {
    /// Two processes that have registered, and nothing to do.
    pub(super) fn first() -> Self {
        let execution = Execution {
            life: Life::Absent,
            row: None,
            step: Step::Absent,
            step_attempt: 0,
            last_seq: 0,
            seqs: 0,
            end_seq: 0,
            ends: 0,
            grants: 0,
            begun_by: 0,
            outcomes: 0,
            seen: Seen::default(),
        };
        let process = Process { registered: true, claim: None, beliefs: [None; EXECUTIONS] };
        Self {
            executions: [execution; EXECUTIONS],
            processes: [process; PROCESSES],
            strays: [None; STRAYS],
            spotted: 0,
            spent: Spent::default(),
        }
    }

    /// Whether the holder's row of `workers` is there.
    pub(super) fn is_alive(&self, holder: Holder) -> bool {
        match holder {
            Holder::Process(process) => self.processes[usize::from(process)].registered,
            Holder::Old => true,
            Holder::Gone => false,
        }
    }

    /// The claims that are not committed, with whose they are.
    pub(super) fn claims(&self) -> impl Iterator<Item = Claim> + '_ {
        let stray = self.strays.iter().flatten().filter_map(|it| match it {
            Stray::Claim(_, claim) => Some(*claim),
            Stray::Write(..) => None,
        });
        self.processes.iter().filter_map(|it| it.claim).chain(stray)
    }

    /// Whether a claim that is not committed has the row of an execution, which stops every other transaction there.
    pub(super) fn is_locked(&self, execution: usize) -> bool {
        self.claims().any(|it| it.picked & (1 << execution) != 0)
    }

    /// Leases that hang on a row of `workers`: those that caps count.
    pub(super) fn live_leases(&self) -> u8 {
        let held = self.executions.iter().filter(|it| match it.row.map(|it| it.phase) {
            Some(Phase::Held(holder)) => self.is_alive(holder),
            Some(Phase::Ready | Phase::Delayed | Phase::Paused) | None => false,
        });
        u8::try_from(held.count()).unwrap_or(u8::MAX)
    }

    /// Lets something go astray. `None` where there is no room for it within the bounds.
    #[must_use]
    pub(super) fn with_stray(mut self, stray: Stray) -> Option<Self> {
        let free = self.strays.iter_mut().find(|it| it.is_none())?;
        *free = Some(stray);
        self.strays.sort_unstable();
        Some(self)
    }

    /// The process gives up its identity and everything that it believes.
    pub(super) fn renew_identity(&mut self, process: usize) {
        let was = Holder::Process(u8::try_from(process).unwrap_or(u8::MAX));
        let now = if self.processes[process].registered { Holder::Old } else { Holder::Gone };
        self.rename(was, now);
        self.processes[process] = Self::first().processes[process];
    }

    pub(super) fn rename(&mut self, was: Holder, now: Holder) {
        for row in self.executions.iter_mut().filter_map(|it| it.row.as_mut()) {
            if row.phase == Phase::Held(was) {
                row.phase = Phase::Held(now);
            }
        }
        for stray in self.strays.iter_mut().flatten() {
            if let Stray::Claim(holder, _) = stray
                && *holder == was
            {
                *holder = now;
            }
        }
        self.strays.sort_unstable();
    }
}
