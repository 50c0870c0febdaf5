//! Starting and stopping executions.

use super::commands::{self, Command};
use crate::{
    app::{App, change::Change},
    runtime::Actor,
};
use common_api::types::Execution;
use runtime_api::v1 as rt;
use shared_db::{error::Result, ids::ExecutionId, json, read, service::Caller};
use web_api::v1 as pb;

/// Accepts an execution: once per request id, whatever dies in between.
pub async fn start(
    app: &App,
    caller: &Caller,
    request: pb::StartExecutionRequest,
) -> Result<Execution> {
    if let Some(input) = request.input.clone() {
        // Before it is kept: runtime would refuse it as well.
        let bytes_max = read::executions::INPUT_BYTES_MAX;
        json::check_size("input", &json::from_struct(input), bytes_max)?;
    }
    let command = Command::StartExecution(rt::StartExecutionRequest {
        execution_id: String::new(),
        agent_id: request.agent_id.to_ascii_lowercase(),
        input: request.input,
        initial_prompt: request.initial_prompt,
        session_id: request.session_id,
        priority: request.priority,
        not_before: request.not_before,
        time_limits: request.time_limits,
    });
    commands::run(app, caller, &request.request_id, command).await
}

/// Asks an execution to stop.
pub async fn cancel(
    app: &App,
    caller: &Caller,
    id: ExecutionId,
    reason: String,
) -> Result<Execution> {
    let request = rt::CancelExecutionRequest { id: id.to_string(), reason };
    let execution = app.runtime.cancel_execution(Actor::of(caller)?, request).await?;
    Change::new(caller, "CancelExecution", id).apply(&app.db, async |_| Ok(())).await?;
    Ok(execution)
}
