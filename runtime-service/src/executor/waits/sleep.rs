//! A time. While it has not come, the execution is a row and nothing else.

use crate::{
    engine::{
        state::Verb,
        turn::{Opened, Outcome, Waited},
    },
    store::{lease::WriteResult, steps::Limit},
};
use futures_util::{FutureExt, future::BoxFuture};
use shared_db::enums::StepType;
use sqlx::PgConnection;

pub(crate) struct Sleep {
    pub(crate) until: Limit,
}

impl Waited for Sleep {
    fn step_type(&self) -> StepType {
        StepType::Sleep
    }

    fn verb(&self) -> Verb {
        Verb::Sleep
    }

    fn limit(&self) -> Option<Limit> {
        Some(self.until)
    }

    fn open<'w>(&'w self, _: &'w mut PgConnection, _: Opened<'w>) -> BoxFuture<'w, WriteResult> {
        async { Ok(()) }.boxed()
    }

    fn look<'w>(
        &'w self,
        _: &'w mut PgConnection,
        of: Opened<'w>,
        over: bool,
    ) -> BoxFuture<'w, WriteResult<Option<Outcome>>> {
        let outcome = over.then(|| Outcome::Output(of.input.clone()));
        async { Ok(outcome) }.boxed()
    }
}
