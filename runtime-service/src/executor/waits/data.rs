//! What the executions of one tree share: kept under a key by one, found or waited for by others.
//!
//! Whoever waits is known before it looks, and whoever writes looks for them after its value was committed: either the one sees the value,
//! or the other sees that it is waited for.

use crate::{
    engine::{
        state::Verb,
        turn::{Opened, Outcome, Stop, Waited},
    },
    executor::api::Context,
    store::{
        lease::WriteResult,
        queue,
        steps::Limit,
        workflow_data::{self, NewData},
    },
};
use common_api::types::{DataStep, GetDataStep};
use futures_util::{FutureExt, future::BoxFuture};
use serde_json::json;
use shared_db::{
    enums::{EventType, StepType},
    error::Reason,
};
use sqlx::PgConnection;

/// Characters of a key.
const KEY_CHARS: (usize, usize) = (1, 255);

/// What a value is when nothing is said.
const TYPE_DEFAULT: &str = "json";

/// Keeps the step's input.
pub(crate) struct Put {
    key: String,
    data_type: String,
    tags: Vec<String>,
}

impl Put {
    pub(crate) fn of(context: &Context<'_>, step: &DataStep) -> Result<Self, Stop> {
        let data_type = match step.data_type.as_str() {
            "" => TYPE_DEFAULT,
            it => it,
        };
        let key = context.text(&step.key, "key", KEY_CHARS)?;
        Ok(Self { key, data_type: data_type.to_owned(), tags: step.tags.clone() })
    }

    async fn put(&self, conn: &mut PgConnection, of: Opened<'_>) -> WriteResult {
        let work = of.turn.work();
        let new = NewData {
            root: work.root,
            key: &self.key,
            value: of.input,
            data_type: &self.data_type,
            tags: &self.tags,
            step_key: of.key,
            agent: work.agent_id,
        };
        workflow_data::put(conn, of.lease, &new).await
    }

    async fn settle(&self, conn: &mut PgConnection, of: Opened<'_>) -> WriteResult<Outcome> {
        let (org, root) = (of.lease.org, of.turn.work().root);
        let key = &self.key;
        match workflow_data::is_value(conn, org, root, key, of.input).await? {
            Some(true) => {}
            Some(false) => {
                let message = format!("{key:?} is there already, with another value");
                return Ok(Outcome::Failed(Reason::DataKeyTaken, message));
            }
            None => {
                let message = "the value is longer than 1 MiB as JSON".to_owned();
                return Ok(Outcome::Failed(Reason::InvalidField, message));
            }
        }
        let waiting = workflow_data::waiting(conn, org, root, key).await?;
        if !waiting.is_empty() {
            queue::wake_all(conn, org, &waiting).await?;
            of.turn.core.wake.work_of(org);
        }
        Ok(Outcome::Output(json!({ "key": key, "value": of.input })))
    }
}

impl Waited for Put {
    fn step_type(&self) -> StepType {
        StepType::Data
    }

    fn verb(&self) -> Verb {
        Verb::Sleep
    }

    fn limit(&self) -> Option<Limit> {
        None
    }

    fn begins(&self) -> EventType {
        EventType::StepStarted
    }

    fn opens_first(&self) -> bool {
        true
    }

    fn open<'w>(
        &'w self,
        conn: &'w mut PgConnection,
        of: Opened<'w>,
    ) -> BoxFuture<'w, WriteResult> {
        self.put(conn, of).boxed()
    }

    fn look<'w>(
        &'w self,
        conn: &'w mut PgConnection,
        of: Opened<'w>,
        _: bool,
    ) -> BoxFuture<'w, WriteResult<Option<Outcome>>> {
        async move { self.settle(conn, of).await.map(Some) }.boxed()
    }
}

/// Finds what is kept under a key, or waits for it.
pub(crate) struct Get {
    key: String,
    wait: bool,
    limit: Option<Limit>,
}

impl Get {
    pub(crate) fn of(context: &Context<'_>, step: &GetDataStep) -> Result<Self, Stop> {
        let key = context.text(&step.key, "key", KEY_CHARS)?;
        Ok(Self { key, wait: step.wait, limit: super::limit(step.timeout) })
    }

    async fn find(
        &self,
        conn: &mut PgConnection,
        of: Opened<'_>,
        over: bool,
    ) -> WriteResult<Option<Outcome>> {
        let root = of.turn.work().root;
        let found = workflow_data::get(conn, of.lease.org, root, &self.key).await?;
        let outcome = match found {
            Some(value) => Outcome::Output(json!({ "key": self.key, "value": value })),
            None if self.wait && !over => return Ok(None),
            None => {
                let when = if self.wait { "did not come in time" } else { "is not there" };
                Outcome::Failed(Reason::DataMissing, format!("{:?} {when}", self.key))
            }
        };
        if self.wait {
            workflow_data::wait_no_more(conn, of.lease).await?;
        }
        Ok(Some(outcome))
    }
}

impl Waited for Get {
    fn step_type(&self) -> StepType {
        StepType::Data
    }

    fn verb(&self) -> Verb {
        Verb::Sleep
    }

    fn limit(&self) -> Option<Limit> {
        self.limit.filter(|_| self.wait)
    }

    fn begins(&self) -> EventType {
        if self.wait { EventType::StepWaiting } else { EventType::StepStarted }
    }

    fn opens_first(&self) -> bool {
        self.wait
    }

    fn open<'w>(
        &'w self,
        conn: &'w mut PgConnection,
        of: Opened<'w>,
    ) -> BoxFuture<'w, WriteResult> {
        async move {
            if !self.wait {
                return Ok(());
            }
            let root = of.turn.work().root;
            workflow_data::await_key(conn, of.lease, root, &self.key, of.key).await
        }
        .boxed()
    }

    fn look<'w>(
        &'w self,
        conn: &'w mut PgConnection,
        of: Opened<'w>,
        over: bool,
    ) -> BoxFuture<'w, WriteResult<Option<Outcome>>> {
        self.find(conn, of, over).boxed()
    }
}
