//! A message from outside, whether it came before or comes later.

use crate::{
    engine::{
        state::Verb,
        turn::{Opened, Outcome, Waited},
    },
    store::{lease::WriteResult, signals, steps::Limit},
};
use common_api::types::SignalStep;
use futures_util::{FutureExt, future::BoxFuture};
use shared_db::{enums::StepType, error::Reason};
use sqlx::PgConnection;

pub(crate) struct Signal {
    name: String,
    limit: Option<Limit>,
}

impl Signal {
    pub(crate) fn of(step: &SignalStep) -> Self {
        Self { name: step.name.clone(), limit: super::limit(step.timeout) }
    }
}

impl Waited for Signal {
    fn step_type(&self) -> StepType {
        StepType::Signal
    }

    fn verb(&self) -> Verb {
        Verb::AwaitInput
    }

    fn limit(&self) -> Option<Limit> {
        self.limit
    }

    fn open<'w>(&'w self, _: &'w mut PgConnection, _: Opened<'w>) -> BoxFuture<'w, WriteResult> {
        async { Ok(()) }.boxed()
    }

    fn look<'w>(
        &'w self,
        conn: &'w mut PgConnection,
        of: Opened<'w>,
        over: bool,
    ) -> BoxFuture<'w, WriteResult<Option<Outcome>>> {
        async move {
            let taken = signals::take(conn, of.lease, &self.name, of.key).await?;
            Ok(match taken {
                Some(payload) => Some(Outcome::Output(payload)),
                None if over => {
                    let message = format!("the signal {:?} did not come in time", self.name);
                    Some(Outcome::Failed(Reason::SignalTimeout, message))
                }
                None => None,
            })
        }
        .boxed()
    }
}
