//! Answers to the questions of executions.

use super::check_against;
use crate::{
    engine::{Core, Engine},
    store::{
        events::{self, NewEvent},
        input_requests::{self, InputRequest, RESPONSE_BYTES_MAX},
        lease::WriteError,
        queue,
    },
};
use action_rules::schema;
use common_api::{options::Role, types as pb};
use serde_json::{Value, json};
use shared_db::{
    enums::{EventType, InputRequestState},
    error::{Error, Reason, Result},
    ids::InputRequestId,
    json as wire, read,
    scope::Tx,
    service::caller::Caller,
};
use std::sync::Arc;

#[derive(Clone)]
pub struct InputRequests {
    core: Arc<Core>,
}

impl InputRequests {
    pub fn of(engine: &Engine) -> Self {
        Self { core: engine.core() }
    }

    /// Answers a question, for a caller who has this role, and lets its execution go on. The same answer by the same user again
    /// changes nothing.
    pub async fn answer(
        &self,
        caller: &Caller,
        role: Role,
        id: InputRequestId,
        response: &Value,
    ) -> Result<pb::InputRequest> {
        let org = caller.org()?;
        wire::check_size("response", response, RESPONSE_BYTES_MAX)?;
        let mut tx = self.core.db.begin(caller.scope()?).await?;
        let asked = input_requests::get(&mut tx, org, id).await?;
        check_answerer(caller, role, id, &asked)?;
        if !self.take(&mut tx, caller, id, &asked, response).await? {
            if !input_requests::is_answered_so(&mut tx, org, id, response, caller.user).await? {
                let asked = input_requests::get(&mut tx, org, id).await?;
                return Err(closed(id, asked.state));
            }
            return read::input_requests::get(&mut tx, org, id).await;
        }
        let answered = read::input_requests::get(&mut tx, org, id).await?;
        tx.commit().await?;
        self.core.wake.work_of(org);
        self.core.wake.events_of(asked.execution_id);
        Ok(answered)
    }

    /// False when the question takes no answer any more.
    async fn take(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        id: InputRequestId,
        asked: &InputRequest,
        response: &Value,
    ) -> Result<bool> {
        if asked.state != InputRequestState::Open {
            return Ok(false);
        }
        check_response(asked, response)?;
        let org = caller.org()?;
        // First the queue row, as everybody does who writes for an execution: one that is about to wait has it, and one that ends.
        let Some(standing) = queue::lock(tx, org, asked.execution_id, true).await? else {
            return Ok(false);
        };
        let taken = input_requests::answer(tx, org, id, response, caller.user).await;
        let taken = taken.map_err(|error| {
            error.on_constraint("input_requests_response_check", || {
                Error::invalid("response", "is too long once its numbers are written out")
            })
        })?;
        if !taken {
            return Ok(false);
        }
        let payload = json!({ "input_request_id": id, "responded_by": caller.user });
        let event = NewEvent { event_type: EventType::InputAnswered, step_key: None, payload };
        events::append(tx, &standing.lease, event).await.map_err(WriteError::under_lock)?;
        queue::wake(tx, org, asked.execution_id).await?;
        Ok(true)
    }
}

/// Whether the question is for this caller.
fn check_answerer(
    caller: &Caller,
    role: Role,
    id: InputRequestId,
    asked: &InputRequest,
) -> Result<()> {
    let least = Role::from(asked.least_role);
    let named = asked.user_ids.is_empty()
        || caller.user.is_some_and(|user| asked.user_ids.contains(&user.0));
    let problem = if role < least || role == Role::WebService {
        format!("input_request {id} is for members from {} up", asked.least_role.name())
    } else if !named {
        format!("input_request {id} is for other users")
    } else {
        return Ok(());
    };
    Err(Error::Denied { reason: Reason::InputNotYours, problem })
}

fn check_response(asked: &InputRequest, response: &Value) -> Result<()> {
    let Some(schema) = &asked.schema else { return Ok(()) };
    // It compiled when the agent was written.
    let schema = schema::compile(schema).map_err(Error::internal)?;
    check_against("response", &schema, response)
}

fn closed(id: InputRequestId, state: InputRequestState) -> Error {
    let problem = match state {
        InputRequestState::Answered => "it has been answered",
        InputRequestState::Open | InputRequestState::Expired => "its time has passed",
        InputRequestState::Cancelled => "its execution has ended",
    };
    Error::precondition(Reason::InputRequestClosed, format!("input_request/{id}"), problem)
}
