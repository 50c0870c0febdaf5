//! What holders write.

use super::{Action, World, holder};
use crate::model::{
    database::Answer,
    state::{Belief, Op, Phase, Stage, Stray, Write},
};

impl World {
    pub(super) fn writes(&mut self, process: usize, execution: usize) {
        let Some(belief) = self.state.processes[process].beliefs[execution] else { return };
        if self.state.is_locked(execution) {
            return;
        }
        let protocol = self.protocol;
        for op in self.ops(process, execution, belief) {
            let mut next = self.state;
            let hands_over = hands_over(op) && belief.unsure != Some(op);
            next.spent.handoffs += u8::from(hands_over);
            let write = sent(belief, op);
            let answer = next.executions[execution].write(protocol, write);
            next.processes[process].beliefs[execution] = heard(belief, op, answer);
            let action = if hands_over { Action::HandOver } else { Action::Send };
            self.next.push((action(process, execution, op, answer), next));
            let number = u8::try_from(execution).unwrap_or(u8::MAX);
            let stray = Some(Stray::Write(number, write));
            self.fault(Action::Cut(process, execution, op), stray, |it| {
                it.spent.handoffs += u8::from(hands_over);
                it.processes[process].beliefs[execution] =
                    Some(Belief { unsure: Some(op), ..belief });
            });
            self.fault(Action::Kill(process, Some((execution, op))), stray, |it| {
                it.renew_identity(process);
            });
        }
    }

    /// What a holder may write now.
    fn ops(&self, process: usize, execution: usize, belief: Belief) -> Vec<Op> {
        let mut ops = match (belief.unsure, belief.stage) {
            (Some(op), _) => vec![op],
            (None, Stage::ToBegin) => vec![Op::Begin, Op::Suspend],
            (None, Stage::Performing) => vec![Op::Finish, Op::Complete, Op::Suspend],
            (None, Stage::ToEnd) => vec![Op::End],
        };
        if !ops.contains(&Op::Release) {
            ops.push(Op::Release);
        }
        if self.state.spent.handoffs == self.protocol.bounds.handoffs {
            ops.retain(|it| !hands_over(*it) || belief.unsure == Some(*it));
        }
        let hears = self.state.executions[execution]
            .row
            .is_some_and(|it| it.cancel_requested && it.phase == Phase::Held(holder(process)));
        if hears && !ops.contains(&Op::Cancel) {
            ops.push(Op::Cancel);
        }
        ops
    }
}

fn hands_over(op: Op) -> bool {
    matches!(op, Op::Release | Op::Suspend)
}

fn sent(belief: Belief, op: Op) -> Write {
    let Belief { token, grant, attempt, .. } = belief;
    Write { op, token, grant, attempt, again: belief.unsure == Some(op) }
}

/// What the holder believes after an answer.
fn heard(belief: Belief, op: Op, answer: Answer) -> Option<Belief> {
    let stage = match (answer, op) {
        (Answer::Done, Op::Begin) => Stage::Performing,
        (Answer::Done, _) => Stage::ToEnd,
        (Answer::Left | Answer::Fenced, _) => return None,
    };
    Some(Belief { stage, unsure: None, ..belief })
}
