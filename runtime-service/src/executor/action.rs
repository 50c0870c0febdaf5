//! Core actions, compiled: what web wrote, ready to be performed.

use super::{Failure, http::HttpAction, mcp::McpAction};
use crate::store::actions::{self, CoreAction};
use action_rules::schema::{self, Schema};
use common_api::types::{RetryPolicy, Transform};
use serde_json::Value;
use shared_db::{
    enums::{ActionKind, SideEffect, StepType},
    error::{Reason, Result},
    ids::{CoreActionId, Etag, OrganizationId},
    json,
    scope::{Db, Scope},
};
use std::sync::Arc;

#[derive(Debug)]
pub struct Action {
    pub id: CoreActionId,
    pub version: i32,
    pub side_effect: SideEffect,
    pub retry: Option<RetryPolicy>,
    pub kind: Kind,
    input_schema: Option<Schema>,
    pub output_schema: Option<Schema>,
}

#[derive(Debug)]
pub enum Kind {
    Http(HttpAction),
    Mcp(McpAction),
    /// A filter over the input.
    Transform(String),
}

impl Action {
    fn compile(row: CoreAction) -> Result<Self, Failure> {
        let schema = |schema: Option<Value>| schema.map(|it| schema::compile(&it)).transpose();
        let unreadable = |error: shared_db::error::Error| {
            Failure::fatal(
                Reason::ActionUnavailable,
                format!("the action can not be read: {error}"),
            )
        };
        Ok(Self {
            id: row.id,
            version: row.version,
            side_effect: row.side_effect,
            retry: row.retry.map(json::to_message).transpose().map_err(unreadable)?,
            kind: match row.kind {
                ActionKind::Http => Kind::Http(HttpAction::compile(
                    &json::to_message(row.config).map_err(unreadable)?,
                )?),
                ActionKind::Mcp => Kind::Mcp(McpAction::compile(
                    &json::to_message(row.config).map_err(unreadable)?,
                )?),
                ActionKind::Transform => {
                    let transform: Transform = json::to_message(row.config).map_err(unreadable)?;
                    action_rules::transform::check(&transform)?;
                    Kind::Transform(transform.filter)
                }
            },
            input_schema: schema(row.input_schema)?,
            output_schema: schema(row.output_schema)?,
        })
    }

    pub fn step_type(&self) -> StepType {
        match self.kind {
            Kind::Http(_) => StepType::Http,
            Kind::Mcp(_) => StepType::Mcp,
            Kind::Transform(_) => StepType::Value,
        }
    }

    /// Whether `input` is what the action expects.
    pub fn check_input(&self, input: &Value) -> Result<(), Failure> {
        let Some(schema) = &self.input_schema else { return Ok(()) };
        let fault = schema.validate(input).err();
        fault.map_or(Ok(()), |it| {
            Err(Failure::fatal(
                it.reason,
                format!("the action's input does not match its schema: {it}"),
            ))
        })
    }
}

/// Compiled actions by their etag: a changed action is another entry, so nothing stale is ever used.
#[derive(Clone)]
pub struct Actions {
    db: Db,
    compiled: moka::future::Cache<(OrganizationId, CoreActionId, Etag), Arc<Action>>,
}

/// Entries of the cache.
const COMPILED_MAX: u64 = 1000;

impl Actions {
    pub fn new(db: Db) -> Self {
        Self { db, compiled: moka::future::Cache::new(COMPILED_MAX) }
    }

    /// The action as it stands now. The inner result says why it can not be used.
    pub async fn get(
        &self,
        org: OrganizationId,
        id: CoreActionId,
    ) -> Result<Result<Arc<Action>, Failure>> {
        let mut tx = self.db.begin(Scope::Tenant(org, None)).await?;
        let row = actions::get(&mut tx, org, id).await?;
        drop(tx);
        let unavailable = |problem: &str| {
            let message = format!("core action {id} {problem}");
            Ok(Err(Failure::fatal(Reason::ActionUnavailable, message)))
        };
        let Some(row) = row else { return unavailable("does not exist any more") };
        if row.disabled {
            return unavailable("is disabled");
        }
        let key = (org, id, row.etag);
        if let Some(action) = self.compiled.get(&key).await {
            return Ok(Ok(action));
        }
        let action = match Action::compile(row) {
            Ok(action) => Arc::new(action),
            Err(failure) => return Ok(Err(failure)),
        };
        self.compiled.insert(key, action.clone()).await;
        Ok(Ok(action))
    }
}
