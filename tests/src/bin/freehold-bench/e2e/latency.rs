//! How long a single execution waits, at a steady rate.
//!
//! Two moments end the wait. The first is when the worker begins the execution, by the clock of its process. The second is when its first
//! step is written down as done, by the clock of the statement that writes it: later than the start of the step by all of the step and
//! the way to the database. The callers, the services and PostgreSQL are on one machine and so have one clock. What peers measure is the
//! call of their handler; the second moment is later than that.

use super::{EndToEnd, THROUGH_WEB, starts};
use crate::{engine::Told, figures::Figure};
use anyhow::{Result, ensure};
use std::{
    collections::HashMap,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use tokio::{task::JoinSet, time};
use uuid::Uuid;

const PER_SECOND: u32 = 50;

/// Not counted: plans and connections are made.
const WARM: usize = 50;

const TO_WORKER: Told = Told {
    setting: "through web, to the worker's begin",
    how: "from the caller's StartExecution to the moment at which a worker begins it, by the worker's clock",
};

/// Milliseconds from the call, sorted.
pub(super) struct Waits {
    pub(super) answered: Vec<f64>,
    pub(super) begun: Vec<f64>,
    pub(super) done: Vec<f64>,
}

pub(super) async fn measure(on: &EndToEnd, seconds: u64) -> Result<Vec<Figure>> {
    let waits = at(on, PER_SECOND, seconds.max(10)).await?;
    let told = Told {
        how: "from the caller's StartExecution to the first step written down as done, which is later than its start",
        ..THROUGH_WEB
    };
    let mut figures = Vec::new();
    for (told, waits) in [(told, &waits.done), (TO_WORKER, &waits.begun)] {
        for (case, share) in
            [("latency_at_50_per_second_p50", 50), ("latency_at_50_per_second_p99", 99)]
        {
            figures.push(told.figure(case, percentile(waits, share), "ms"));
        }
    }
    Ok(figures)
}

/// Starts so many executions a second, whether or not earlier ones were answered.
pub(super) async fn at(on: &EndToEnd, per_second: u32, seconds: u64) -> Result<Waits> {
    let mut ticks = time::interval(Duration::from_secs(1) / per_second);
    ticks.set_missed_tick_behavior(time::MissedTickBehavior::Burst);
    let total = WARM + usize::try_from(u64::from(per_second) * seconds)?;
    let mut calls = JoinSet::new();
    for n in 0..total {
        ticks.tick().await;
        let (by, agent) = (on.freehold[n % on.freehold.len()].clone(), on.agent.clone());
        calls.spawn(async move {
            let called = SystemTime::now();
            let began = Instant::now();
            let id = starts::start(&by, &agent).await?;
            anyhow::Ok((n, called, began.elapsed(), id))
        });
    }
    let (mut moments, mut answered) = (HashMap::new(), Vec::new());
    while let Some(call) = calls.join_next().await {
        let (n, at, took, id) = call??;
        if n >= WARM {
            answered.push(took.as_secs_f64() * 1000.0);
            moments.insert(id.parse::<Uuid>()?, at.duration_since(UNIX_EPOCH)?.as_secs_f64());
        }
    }
    on.until_empty(on.org).await?;
    answered.sort_unstable_by(f64::total_cmp);
    told(on, &moments, answered).await
}

async fn told(on: &EndToEnd, called: &HashMap<Uuid, f64>, answered: Vec<f64>) -> Result<Waits> {
    let ids: Vec<Uuid> = called.keys().copied().collect();
    let rows: Vec<(Uuid, f64, f64)> = sqlx::query_as(
        "select e.id, extract(epoch from e.started_at)::float8, extract(epoch from v.created_at)::float8
         from runtime.agent_executions as e
         join runtime.execution_events as v
             on v.org_id = e.org_id and v.execution_id = e.id and v.event_type = 'step_succeeded'
         where e.org_id = $1 and e.id = any($2)",
    )
    .bind(on.org.0)
    .bind(&ids)
    .fetch_all(&on.owner)
    .await?;
    ensure!(rows.len() == ids.len(), "{} of {} executions were done", rows.len(), ids.len());
    let since = |id: &Uuid, at: f64| (at - called[id]) * 1000.0;
    let mut begun: Vec<_> = rows.iter().map(|it| since(&it.0, it.1)).collect();
    let mut done: Vec<_> = rows.iter().map(|it| since(&it.0, it.2)).collect();
    begun.sort_unstable_by(f64::total_cmp);
    done.sort_unstable_by(f64::total_cmp);
    Ok(Waits { answered, begun, done })
}

pub(super) fn percentile(sorted: &[f64], share: usize) -> f64 {
    sorted[(sorted.len() - 1) * share / 100]
}
