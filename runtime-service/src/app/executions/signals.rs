//! Messages to executions.

use super::Executions;
use crate::store::{
    events::{self, NewEvent},
    lease::WriteError,
    queue,
    signals::{self, NewSignal, PAYLOAD_BYTES_MAX, UNTAKEN_MAX},
};
use common_api::types::Execution;
use runtime_api::v1 as pb;
use serde_json::json;
use shared_db::{
    enums::{EventType, ExecutionState},
    error::{Error, Reason, Result},
    ids::{ExecutionId, SignalId},
    json as wire, read,
    service::{caller::Caller, id},
};

impl Executions {
    /// Sends a signal under the id that web chose; the same again sends nothing more.
    pub async fn signal(
        &self,
        caller: &Caller,
        request: pb::SignalExecutionRequest,
    ) -> Result<Execution> {
        let org = caller.org()?;
        let execution: ExecutionId = id("id", &request.id)?;
        let signal: SignalId = id("signal_id", &request.signal_id)?;
        let payload = wire::from_value(request.payload.unwrap_or_default());
        wire::check_size("payload", &payload, PAYLOAD_BYTES_MAX)?;
        let mut tx = self.core.db.begin(caller.scope()?).await?;
        let standing = queue::lock(&mut tx, org, execution, true).await?;
        if signals::is_sent(&mut tx, org, execution, signal).await? {
            return read::executions::get(&mut tx, org, execution).await;
        }
        let Some(standing) = standing else {
            let progress = read::executions::progress(&mut tx, org, execution).await?;
            return Err(ended(execution, progress.state));
        };
        let lease = standing.lease;
        let (untaken, awaited) = signals::standing(&mut tx, &lease).await?;
        if UNTAKEN_MAX <= untaken {
            let problem = format!("{UNTAKEN_MAX} signals wait to be taken, which is the most");
            return Err(Error::Exhausted { reason: Reason::TooManySignals, problem });
        }
        let new =
            NewSignal { id: signal, name: &request.name, payload: &payload, sent_by: caller.user };
        let event = NewEvent {
            event_type: EventType::SignalReceived,
            step_key: None,
            payload: json!({ "signal_id": signal, "name": request.name, "sent_by": caller.user }),
        };
        signals::send(&mut tx, &lease, &new).await.map_err(too_long)?;
        events::append(&mut tx, &lease, event).await.map_err(WriteError::under_lock)?;
        if awaited {
            queue::wake(&mut tx, org, execution).await?;
        }
        let signalled = read::executions::get(&mut tx, org, execution).await?;
        tx.commit().await?;
        self.core.wake.work_of(org);
        self.core.wake.events_of(execution);
        Ok(signalled)
    }
}

fn ended(id: ExecutionId, state: ExecutionState) -> Error {
    Error::ExecutionState { id: id.to_string(), state: state.name() }
}

fn too_long(error: WriteError) -> Error {
    error.under_lock().on_constraint("execution_signals_payload_check", || {
        Error::invalid("payload", "is too long once its numbers are written out")
    })
}
