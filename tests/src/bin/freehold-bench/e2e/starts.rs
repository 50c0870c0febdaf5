//! Single starts: each call answered when its execution is safe.

use super::{EndToEnd, THROUGH_WEB};
use crate::{engine::Told, figures::Figure, load};
use anyhow::{Result, ensure};
use common_api::types::{
    ActionCall, Agent, AgentEndpoint, AgentType, StartResult, ValueStep, action_call::Builtin,
    start_result::Result as Outcome,
};
use freehold_tests::{client::Caller, reach::failed};
use prost_types::Timestamp;
use shared_db::ids::{ExecutionId, OrganizationId};
use std::time::{Duration, SystemTime};
use web_api::v1::{
    BatchStart, BatchStartExecutionsRequest, CreateAgentRequest, StartExecutionRequest,
};

/// Starts in one call, and calls under way: what peers are given too.
const BATCH: usize = 1000;
const BATCHES: usize = 4;

/// Makes an agent of one step that computes a value; returns it and its organization.
pub(super) async fn agent(caller: &Caller) -> Result<(String, OrganizationId)> {
    let call = ActionCall {
        step_key: "noop".to_owned(),
        builtin: Some(Builtin::Value(ValueStep {})),
        ..ActionCall::default()
    };
    let agent = Agent {
        slug: format!("noop-{}", ExecutionId::generate().0.simple()),
        name: "Does nothing".to_owned(),
        r#type: AgentType::Api.into(),
        endpoint: Some(AgentEndpoint { calls: vec![call] }),
        ..Agent::default()
    };
    let request = CreateAgentRequest { agent: Some(agent), request_id: String::new() };
    let made = caller.agents().create_agent(request).await;
    let made = made.map_err(|it| failed("CreateAgent", &it))?.into_inner();
    Ok((made.id, OrganizationId(made.organization_id.parse()?)))
}

/// Returns the execution's id.
pub(super) async fn start(caller: &Caller, agent: &str) -> Result<String> {
    start_when(caller, agent, None).await
}

/// Starts one that is due then, or at once.
async fn start_when(caller: &Caller, agent: &str, not_before: Option<Timestamp>) -> Result<String> {
    let request = StartExecutionRequest {
        agent_id: agent.to_owned(),
        request_id: ExecutionId::generate().to_string(),
        not_before,
        ..StartExecutionRequest::default()
    };
    let started = caller.executions().start_execution(request).await;
    Ok(started.map_err(|it| failed("StartExecution", &it))?.into_inner().id)
}

/// Batches of a thousand, four calls under way, while the engine does what was started.
pub(super) async fn bulk(on: &EndToEnd, each: Duration) -> Result<Figure> {
    let agent = &on.agent;
    let call = |caller, _| async move { start_many(caller, agent).await };
    let sample = load::closed(BATCHES, each, &on.freehold, call).await?;
    on.until_empty(on.org).await?;
    let how = "BatchStartExecutions of 1000, four under way, answered after the commit, while the engine does them";
    let told = Told { how, ..THROUGH_WEB };
    Ok(told.figure("enqueue_bulk_per_second", sample.rate * 1000.0, "starts/s"))
}

async fn start_many(caller: &Caller, agent: &str) -> Result<()> {
    let one = BatchStart { agent_id: agent.to_owned(), ..BatchStart::default() };
    let request = BatchStartExecutionsRequest {
        requests: vec![one; BATCH],
        request_id: ExecutionId::generate().to_string(),
    };
    let started = caller.executions().batch_start_executions(request).await;
    let results = started.map_err(|it| failed("BatchStartExecutions", &it))?.into_inner().results;
    let made = |it: &&StartResult| matches!(it.result, Some(Outcome::Execution(_)));
    let made = results.iter().filter(made).count();
    ensure!(made == BATCH, "{made} of {BATCH} were accepted");
    Ok(())
}

/// As many as so many callers bring about, each with one call under way, while the engine does what was started.
pub(super) async fn measure(on: &EndToEnd, each: Duration) -> Result<Vec<Figure>> {
    let agent = &on.agent;
    let call = |caller, _| async move { start(caller, agent).await.map(drop) };
    let now = sqlx::query_scalar("select clock_timestamp()").fetch_one(&on.owner);
    let began: chrono::DateTime<chrono::Utc> = now.await?;
    let sample = load::closed(on.in_flight, each, &on.freehold, call).await?;
    on.until_empty(on.org).await?;
    // Of this sample: those that earlier ones had accepted for tomorrow are not done at all.
    let left: i64 = sqlx::query_scalar(
        "select count(*) from runtime.agent_executions
         where org_id = $1 and agent_id = $2 and state <> 'succeeded' and $3 <= created_at",
    )
    .bind(on.org.0)
    .bind(on.agent.parse::<uuid::Uuid>()?)
    .bind(began)
    .fetch_one(&on.owner)
    .await?;
    ensure!(left == 0, "{left} executions have not succeeded");
    let told = Told {
        setting: "through web, and done meanwhile",
        how: "StartExecution, answered after the commit, while the engine does them",
    };
    Ok(vec![
        told.figure("enqueue_single_per_second", sample.rate, "starts/s"),
        told.figure("start_answer_p50", sample.p50_ms, "ms to the answer, 64 under way"),
        told.figure("start_answer_p99", sample.p99_ms, "ms to the answer, 64 under way"),
    ])
}

/// The same for executions that are due tomorrow: what peers are asked for, whose jobs nobody does meanwhile.
pub(super) async fn accepted(on: &EndToEnd, each: Duration) -> Result<Vec<Figure>> {
    let agent = &on.agent;
    let tomorrow = SystemTime::now() + Duration::from_hours(24);
    let call =
        |caller, _| async move { start_when(caller, agent, Some(tomorrow.into())).await.map(drop) };
    let sample = load::closed(on.in_flight, each, &on.freehold, call).await?;
    let left = sqlx::query("delete from runtime.execution_queue where org_id = $1")
        .bind(on.org.0)
        .execute(&on.owner)
        .await?
        .rows_affected();
    ensure!(left > 0, "nothing was left to be done tomorrow");
    let told = Told {
        how: "StartExecution of what is due tomorrow, answered after the commit",
        ..THROUGH_WEB
    };
    Ok(vec![told.figure("enqueue_single_per_second", sample.rate, "starts/s")])
}
