//! Starting, stopping and pausing executions, and waiting for their end.

use super::{
    commands::{self, Command},
    watch,
};
use crate::{
    app::{
        App,
        change::{Change, Subject},
    },
    runtime::Actor,
};
use common_api::types::{CancelBatch, Execution, ExecutionStep};
use prost_types::Struct;
use runtime_api::v1 as rt;
use shared_db::{
    error::Result,
    ids::{ExecutionId, OrganizationId},
    json, read,
    service::Caller,
};
use std::time::Duration;
use web_api::v1 as pb;

/// Accepts an execution: once per request id, whatever dies in between.
pub async fn start(
    app: &App,
    caller: &Caller,
    request: pb::StartExecutionRequest,
) -> Result<Execution> {
    check_input("input", request.input.as_ref())?;
    let command = Command::StartExecution(rt::StartExecutionRequest {
        execution_id: String::new(),
        agent_id: request.agent_id.to_ascii_lowercase(),
        input: request.input,
        initial_prompt: request.initial_prompt,
        session_id: request.session_id,
        priority: request.priority,
        not_before: request.not_before,
        time_limits: request.time_limits,
        execution_key: request.execution_key,
        reuse_policy: request.reuse_policy,
        conflict_policy: request.conflict_policy,
    });
    commands::run(app, caller, &request.request_id, command).await
}

/// Accepts many executions under one request id. Their ids follow from the one that is chosen for all of them.
pub async fn batch_start(
    app: &App,
    caller: &Caller,
    request: pb::BatchStartExecutionsRequest,
) -> Result<pb::BatchStartExecutionsResponse> {
    for (index, it) in request.requests.iter().enumerate() {
        check_input(&format!("requests[{index}].input"), it.input.as_ref())?;
    }
    let requests = request.requests.into_iter().map(|it| rt::StartExecutionRequest {
        execution_id: String::new(),
        agent_id: it.agent_id.to_ascii_lowercase(),
        input: it.input,
        initial_prompt: it.initial_prompt,
        session_id: it.session_id,
        priority: it.priority,
        not_before: it.not_before,
        time_limits: it.time_limits,
        execution_key: it.execution_key,
        reuse_policy: it.reuse_policy,
        conflict_policy: it.conflict_policy,
    });
    let requests = requests.collect();
    let command = Command::BatchStartExecutions(rt::BatchStartExecutionsRequest { requests });
    commands::run(app, caller, &request.request_id, command).await
}

/// Accepts an execution that begins with the finished steps of another.
pub async fn fork(
    app: &App,
    caller: &Caller,
    request: pb::ForkExecutionRequest,
) -> Result<Execution> {
    check_input("input", request.input.as_ref())?;
    let command = Command::ForkExecution(rt::ForkExecutionRequest {
        execution_id: String::new(),
        id: request.id.to_ascii_lowercase(),
        from_step: request.from_step,
        input: request.input,
    });
    commands::run(app, caller, &request.request_id, command).await
}

/// Before it is kept: runtime would refuse it as well.
fn check_input(field: &str, input: Option<&Struct>) -> Result<()> {
    let Some(input) = input.cloned() else { return Ok(()) };
    json::check_size(field, &json::from_struct(input), read::executions::INPUT_BYTES_MAX)
}

/// Asks an execution to stop.
pub async fn cancel(
    app: &App,
    caller: &Caller,
    id: ExecutionId,
    (reason, force): (String, bool),
) -> Result<Execution> {
    let request = rt::CancelExecutionRequest { id: id.to_string(), reason, force };
    let execution = app.runtime.cancel_execution(Actor::of(caller)?, request).await?;
    Change::new(caller, "CancelExecution", id).apply(&app.db, async |_| Ok(())).await?;
    Ok(execution)
}

/// Waits for the end of an execution, but no longer than `timeout` and the caller's deadline, and returns it as it then stands.
pub async fn wait(
    app: &App,
    caller: &Caller,
    org: OrganizationId,
    id: ExecutionId,
    timeout: Option<Duration>,
) -> Result<Execution> {
    watch::wait(&app.hub, org, id, timeout).await?;
    let mut tx = app.db.begin(caller.scope()?).await?;
    read::executions::get(&mut tx, org, id).await
}

/// Asks many executions to stop.
pub async fn batch_cancel(
    app: &App,
    caller: &Caller,
    request: pb::BatchCancelExecutionsRequest,
) -> Result<CancelBatch> {
    let pb::BatchCancelExecutionsRequest { selection, reason, force, dry_run } = request;
    let request = rt::BatchCancelExecutionsRequest { selection, reason, force, dry_run };
    let batch = app.runtime.batch_cancel_executions(Actor::of(caller)?, request).await?;
    if !dry_run {
        let subject = Subject::batch(ExecutionId::generate().0);
        Change::new(caller, "BatchCancelExecutions", subject)
            .apply(&app.db, async |_| Ok(()))
            .await?;
    }
    Ok(batch)
}

/// Holds an execution.
pub async fn pause(app: &App, caller: &Caller, id: ExecutionId) -> Result<Execution> {
    let request = rt::PauseExecutionRequest { id: id.to_string() };
    let execution = app.runtime.pause_execution(Actor::of(caller)?, request).await?;
    Change::new(caller, "PauseExecution", id).apply(&app.db, async |_| Ok(execution)).await
}

/// Lets a paused execution go on.
pub async fn resume(app: &App, caller: &Caller, id: ExecutionId) -> Result<Execution> {
    let request = rt::ResumeExecutionRequest { id: id.to_string() };
    let execution = app.runtime.resume_execution(Actor::of(caller)?, request).await?;
    Change::new(caller, "ResumeExecution", id).apply(&app.db, async |_| Ok(execution)).await
}

/// Sends a message to an execution: once per request id, whatever dies in between.
pub async fn signal(
    app: &App,
    caller: &Caller,
    id: ExecutionId,
    request: pb::SignalExecutionRequest,
) -> Result<Execution> {
    let command = Command::SignalExecution(rt::SignalExecutionRequest {
        id: id.to_string(),
        signal_id: String::new(),
        name: request.name,
        payload: request.payload,
    });
    commands::run(app, caller, &request.request_id, command).await
}

/// Says what became of a step whose outcome is unknown. The attempt that is meant goes with the command, so that one that is sent twice
/// decides once.
pub async fn decide(
    app: &App,
    caller: &Caller,
    id: ExecutionId,
    request: pb::DecideStepRequest,
) -> Result<ExecutionStep> {
    let attempt = if request.attempt == 0 {
        let org = caller.org()?;
        let mut tx = app.db.begin(caller.scope()?).await?;
        read::executions::progress(&mut tx, org, id).await?;
        read::steps::get(&mut tx, org, id, &request.step_key).await?.attempt
    } else {
        request.attempt
    };
    let request = rt::DecideStepRequest {
        execution_id: id.to_string(),
        step_key: request.step_key,
        decision: request.decision,
        output: request.output,
        attempt,
    };
    let step = app.runtime.decide_step(Actor::of(caller)?, request).await?;
    Change::new(caller, "DecideStep", id).apply(&app.db, async |_| Ok(step)).await
}
