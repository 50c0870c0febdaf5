//! What is explored: the protections that the protocol has, one of which may be switched off, and the bounds of the world.

/// What keeps the engine correct. Each one can be switched off, to see that the exploration notices.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Protection {
    /// A worker's write takes its row by the token that it was given.
    Fencing,
    /// Letting go raises the token. Without it the token of before is good for the row that waits.
    ReleaseRaisesToken,
    /// So does putting back what a lost worker held.
    RescueRaisesToken,
    /// A token is given out once. Without it letting go takes the number back, and the next claim gives it out again.
    TokenIsNew,
    /// An end takes its queue row, and a step's outcome takes a step that is under way.
    EndIsGuarded,
    /// The queue row goes in the transaction that writes the end.
    EndIsOneCommit,
    /// An event takes its number under the lock of the row. Without it a refused write has used one up.
    NumberedUnderLock,
    /// A write that is sent again, because its commit was not heard of, is recognised when it was committed after all.
    RepeatsAreRecognised,
    /// A write that comes after its own repetition is refused: it begins one certain attempt.
    LateWritesAreRefused,
    /// Whatever is held by a worker without a row is put back. Without it only what is seen when the worker's row is removed.
    OrphansAreRescued,
    /// The sweeper puts back what it has looked at and nothing that has been claimed since.
    RescueLooksAgain,
    /// A worker hands back what it holds by the table and does not know of: the claim's answer was lost, or a task gave up.
    UnknownIsHandedBack,
    /// It does not go on with it under the token that is there: a write of the task that gave up may still be on its way.
    UnknownIsNotAdopted,
    /// A worker that finds its row removed becomes a new one. Without it the row is put back under the old identity.
    IdentityIsNew,
    /// A claim counts the live leases of the organization.
    CapIsCounted,
    /// It does so under a lock, in a statement after the one that locks.
    CapIsLocked,
}

impl Protection {
    pub(super) const ALL: [Self; 16] = [
        Self::Fencing,
        Self::ReleaseRaisesToken,
        Self::RescueRaisesToken,
        Self::TokenIsNew,
        Self::EndIsGuarded,
        Self::EndIsOneCommit,
        Self::NumberedUnderLock,
        Self::RepeatsAreRecognised,
        Self::LateWritesAreRefused,
        Self::OrphansAreRescued,
        Self::RescueLooksAgain,
        Self::UnknownIsHandedBack,
        Self::UnknownIsNotAdopted,
        Self::IdentityIsNew,
        Self::CapIsCounted,
        Self::CapIsLocked,
    ];
}

/// How much may happen. The exploration is exhaustive within it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) executions: u8,
    /// Live leases that the organization may have. All executions are of one.
    pub(super) cap: Option<u8>,
    /// Kills, freezes beyond the lease, connections cut and tasks that give up, in any mix.
    pub(super) faults: u8,
    /// Cancels, forced cancels and pauses.
    pub(super) requests: u8,
    /// Releases and suspensions.
    pub(super) handoffs: u8,
    /// Lost workers that an execution survives.
    pub(super) lost_max: u8,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Protocol {
    pub(super) bounds: Bounds,
    pub(super) without: Option<Protection>,
}

impl Protocol {
    pub(super) fn has(self, protection: Protection) -> bool {
        self.without != Some(protection)
    }
}
