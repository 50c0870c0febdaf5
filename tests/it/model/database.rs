//! What the transactions do to an execution. Each is atomic, under the lock of the queue row.

use super::{
    protocol::{Protection, Protocol},
    state::{Execution, Holder, Life, Op, Phase, Row, Step, Write},
};

/// What a worker hears of its write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Done,
    /// The execution has ended with it or is back in the queue.
    Left,
    /// Zero rows: the worker stops quietly.
    Fenced,
}

impl Execution {
    pub(super) fn start(&mut self) {
        self.life = Life::Open;
        self.row = Some(Row { phase: Phase::Ready, token: 0, lost: 0, cancel_requested: false });
        self.tell();
    }

    /// Gives it to a worker. The token is raised by that.
    pub(super) fn grant(&mut self, holder: Holder) {
        let row = self.row.as_mut().expect("a claim has picked its row, and holds the lock");
        row.phase = Phase::Held(holder);
        row.token += 1;
        self.grants += 1;
        self.tell();
    }

    fn tell(&mut self) {
        self.seen.written_after_end |= self.life.is_final();
        self.last_seq += 1;
        self.seqs |= 1 << self.last_seq;
    }

    /// Writes the end: state, terminal event and the end of the queue row.
    pub(super) fn end(&mut self, protocol: Protocol, life: Life) {
        self.row = None;
        if protocol.has(Protection::EndIsOneCommit) {
            self.tell();
            self.life = life;
            self.ends += 1;
            self.end_seq = self.last_seq;
        }
    }

    /// Puts it back into the queue: whoever held it holds it no more.
    pub(super) fn put_back(&mut self, protocol: Protocol, phase: Phase) {
        if let Some(row) = self.row.as_mut() {
            row.phase = phase;
            if !protocol.has(Protection::TokenIsNew) {
                row.token -= 1;
            } else if protocol.has(Protection::ReleaseRaisesToken) {
                row.token += 1;
            }
        }
        self.tell();
    }

    /// The sweeper puts back what a lost worker held, or ends it when that has happened too often.
    pub(super) fn rescue(&mut self, protocol: Protocol) {
        let Some(row) = self.row.as_mut() else { return };
        row.lost += 1;
        if protocol.bounds.lost_max < row.lost {
            self.end(protocol, Life::Failed);
        } else {
            row.phase = Phase::Ready;
            row.token += u8::from(protocol.has(Protection::RescueRaisesToken));
            self.tell();
        }
    }

    /// A write of a worker.
    pub(super) fn write(&mut self, protocol: Protocol, write: Write) -> Answer {
        let ends = matches!(write.op, Op::Complete | Op::End);
        let taken = match self.row {
            None => ends && !protocol.has(Protection::EndIsGuarded),
            Some(row) => row.token == write.token || !protocol.has(Protection::Fencing),
        };
        if !taken {
            if !protocol.has(Protection::NumberedUnderLock) {
                self.last_seq += 1;
            }
            return Answer::Fenced;
        }
        if protocol.has(Protection::RepeatsAreRecognised) && write.again && self.is_done(write) {
            return Answer::Done;
        }
        let before = *self;
        let answer = self.perform(protocol, write);
        if answer != Answer::Fenced {
            let is_held = matches!(before.row, Some(Row { phase: Phase::Held(_), .. }));
            self.seen.written_by_another |= !is_held || write.grant != before.grants;
        }
        answer
    }

    fn is_done(&self, write: Write) -> bool {
        let state = match write.op {
            Op::Begin => Step::Running,
            Op::Finish => Step::Succeeded,
            // These raise the token or end the row: they are fenced.
            Op::Complete | Op::End | Op::Release | Op::Suspend | Op::Cancel => return false,
        };
        (self.step, self.step_attempt) == (state, write.attempt)
    }

    fn perform(&mut self, protocol: Protocol, write: Write) -> Answer {
        let asked_to_stop = self.row.is_some_and(|it| it.cancel_requested);
        let leaves_or_begins =
            matches!(write.op, Op::Begin | Op::Release | Op::Suspend | Op::Cancel);
        if asked_to_stop && leaves_or_begins {
            self.end(protocol, Life::Cancelled);
            return Answer::Left;
        }
        match write.op {
            Op::Begin => self.begin(protocol, write),
            Op::Finish | Op::Complete => {
                if self.step != Step::Running && protocol.has(Protection::EndIsGuarded) {
                    return Answer::Fenced;
                }
                self.step = Step::Succeeded;
                self.outcomes += 1;
                self.tell();
                if write.op == Op::Finish {
                    return Answer::Done;
                }
                self.end(protocol, Life::Succeeded);
                Answer::Left
            }
            Op::End => {
                self.end(protocol, Life::Succeeded);
                Answer::Left
            }
            Op::Release => {
                self.put_back(protocol, Phase::Ready);
                Answer::Left
            }
            Op::Suspend => {
                let tried = self.step == Step::Running && self.begun_by == write.grant;
                self.outcomes += u8::from(tried);
                self.put_back(protocol, Phase::Delayed);
                Answer::Left
            }
            Op::Cancel => Answer::Left,
        }
    }

    fn begin(&mut self, protocol: Protocol, write: Write) -> Answer {
        let is_next = self.step != Step::Succeeded && self.step_attempt + 1 == write.attempt;
        let protection = if write.again {
            Protection::RepeatsAreRecognised
        } else {
            Protection::LateWritesAreRefused
        };
        if !is_next && protocol.has(protection) {
            return Answer::Fenced;
        }
        self.seen.finished_begun |= self.step == Step::Succeeded;
        self.seen.begun_twice |= self.begun_by == write.grant;
        self.step = Step::Running;
        self.step_attempt += 1;
        self.begun_by = write.grant;
        self.outcomes = 0;
        self.tell();
        Answer::Done
    }
}
