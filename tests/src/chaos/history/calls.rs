//! The remote's log: a witness that knows nothing of the tables.

use super::Fate;
use crate::{
    chaos::clocks::{Clocks, Time},
    remote::Remote,
};

#[derive(Clone, Debug)]
pub struct Call {
    pub run: String,
    pub step: String,
    pub key: Option<String>,
    pub at: Time,
    /// Status and time of the answer.
    pub answered: Option<(u16, Time)>,
    /// When the caller closed the connection instead of waiting.
    pub cut: Option<Time>,
}

impl Call {
    pub fn fate(&self) -> Fate {
        match self.answered {
            Some((200..=299, _)) => Fate::Succeeded,
            Some(_) => Fate::Refused,
            None => Fate::Unanswered,
        }
    }

    /// When it was over, as far as the remote could see.
    pub fn over(&self) -> Option<Time> {
        self.answered.map(|(_, at)| at).or(self.cut)
    }

    /// The organization whose execution it belongs to: its number begins the name.
    pub fn organization(&self) -> &str {
        self.run.split_once('-').map_or("", |(number, _)| number)
    }
}

/// Every call of a step so far.
pub fn read(remote: &Remote, clocks: &Clocks) -> Vec<Call> {
    let calls = remote.requests_to("/work").into_iter().map(|it| Call {
        run: it.parameter("run").unwrap_or_default(),
        step: it.parameter("step").unwrap_or_default(),
        key: it.idempotency_key().map(str::to_owned),
        at: clocks.wall(it.at),
        answered: it.answered.map(|(status, at)| (status, clocks.wall(at))),
        cut: it.cut.map(|at| clocks.wall(at)),
    });
    calls.collect()
}
