//! Of those that nobody does yet: what they stand behind.

use super::{LONG, onlooker, row, told};
use crate::runtime::workshop::{Running, Workshop, quick};
use common_api::types::ExplanationReason as Why;
use runtime_service::{engine::EngineConfig, store::executions::NewExecution};
use serde_json::json;
use shared_db::{
    enums::LimitSubject,
    ids::{AgentId, ExecutionId, OrganizationId, PlatformId, WorkerId},
};
use std::time::Duration;

#[tokio::test]
async fn no_worker_is_alive_until_one_is() {
    let workshop = Workshop::new().await;
    let agent = workshop.agent(json!([])).await;
    let id = workshop.start(agent, json!({})).await;
    told(&workshop, id, Why::NoWorker, &["No worker is alive"]).await;
    // One whose lease has ended is none.
    workshop.claim(WorkerId::generate(), Duration::ZERO, 0).await;
    told(&workshop, id, Why::NoWorker, &["No worker is alive"]).await;
    onlooker(&workshop).await;
    told(&workshop, id, Why::Ready, &["ready", "a worker"]).await;
}

#[tokio::test]
async fn it_is_behind_others_of_its_organization_and_of_no_other() {
    let workshop = Workshop::new().await;
    onlooker(&workshop).await;
    let agent = workshop.agent(json!([])).await;
    for priority in [1, 3, 5] {
        let new = workshop.new_execution(agent, json!({}));
        workshop.start_as(NewExecution { priority, ..new }).await;
    }
    let new = workshop.new_execution(agent, json!({}));
    let stranger = NewExecution { org: OrganizationId::generate(), priority: 1, ..new.clone() };
    sqlx::query("insert into web.organizations (id, slug, name) values ($1, 'other', 'Other')")
        .bind(stranger.org.0)
        .execute(&workshop.root)
        .await
        .unwrap();
    sqlx::query(
        "insert into runtime.agent_organizations (org_id, agent_id, agent_org_id) values ($1, $2, $3)",
    )
    .bind(stranger.org.0)
    .bind(agent.0)
    .bind(workshop.org.0)
    .execute(&workshop.root)
    .await
    .unwrap();
    workshop.start_all(&[stranger]).await;
    let id = workshop.start_as(NewExecution { priority: 4, ..new }).await;
    let facts =
        told(&workshop, id, Why::BehindOthers, &["ready", "2 executions", "before it"]).await;
    assert_eq!(facts.ahead, 2);
}

#[tokio::test]
async fn another_runs_under_its_key() {
    let workshop = Workshop::new().await;
    onlooker(&workshop).await;
    let agent = workshop.agent(json!([])).await;
    let keyed = || NewExecution {
        execution_key: Some("nightly".to_owned()),
        ..workshop.new_execution(agent, json!({}))
    };
    let first = workshop.start_as(keyed()).await;
    let second = workshop.start_as(keyed()).await;
    row(&workshop, second, "phase = 'delayed', available_at = 'infinity'").await;
    let name = first.to_string();
    let facts = told(&workshop, second, Why::KeyHeld, &[&name, "nightly"]).await;
    assert_eq!((facts.blocking_execution_id, facts.execution_key.as_str()), (name, "nightly"));
}

/// An organization with one execution under way, on a platform, and one that waits.
async fn crowded() -> (Workshop, AgentId, PlatformId, ExecutionId, Running) {
    let workshop = Workshop::new().await;
    let agent = workshop.simple("pure", "/hang").await;
    let platform = PlatformId::generate();
    let on = |it: NewExecution| NewExecution { platforms: vec![platform.0], ..it };
    let config = EngineConfig { worker_concurrency: 1, lease_ttl: LONG, ..quick() };
    let engine = workshop.engine(config);
    workshop.start_as(on(workshop.new_execution(agent, json!({})))).await;
    workshop.seen("/hang", 1).await;
    let id = workshop.start_as(on(workshop.new_execution(agent, json!({})))).await;
    (workshop, agent, platform, id, engine)
}

#[tokio::test]
async fn its_organization_agent_or_platform_is_at_its_limit() {
    let (workshop, agent, platform, id, engine) = crowded().await;
    told(&workshop, id, Why::Ready, &["free hand"]).await;
    workshop.limit(LimitSubject::Platform, platform.0, 1).await;
    let name = platform.to_string();
    let facts =
        told(&workshop, id, Why::PlatformAtLimit, &["Platform", &name, "has 1", "may have 1"])
            .await;
    assert_eq!((facts.subject_id, facts.executions_live, facts.executions_max), (name, 1, 1));
    workshop.limit(LimitSubject::Agent, agent.0, 1).await;
    let name = agent.to_string();
    let facts = told(&workshop, id, Why::AgentAtLimit, &["Agent", &name, "may have 1"]).await;
    assert_eq!((facts.subject_id, facts.executions_live, facts.executions_max), (name, 1, 1));
    workshop.limit_all(Some(0)).await;
    let facts =
        told(&workshop, id, Why::OrganizationAtLimit, &["organization", "has 1", "may have 0"])
            .await;
    assert_eq!((facts.executions_live, facts.executions_max), (1, 0));
    // Room for another.
    workshop.limit_all(Some(2)).await;
    workshop.limit(LimitSubject::Agent, agent.0, 2).await;
    workshop.limit(LimitSubject::Platform, platform.0, 2).await;
    told(&workshop, id, Why::Ready, &["free hand"]).await;
    drop(engine);
}
