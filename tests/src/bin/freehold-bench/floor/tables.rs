//! The floor's scratch tables: the columns, widths, primary keys and the claim's index of Freehold's durable work.
//!
//! They are a copy and not the tables themselves, so that the floor stays where it is when the engine changes.

use anyhow::{Result, ensure};
use sqlx::PgConnection;

const DROP: &str = "drop schema if exists bench_floor cascade";

const CREATE: &str = "
create schema bench_floor;

create type bench_floor.state as enum ('queued', 'running', 'succeeded');
create type bench_floor.step_type as enum ('http', 'code');
create type bench_floor.event_type as enum (
    'execution_queued', 'execution_started', 'step_started', 'step_succeeded', 'execution_succeeded'
);

create table bench_floor.executions (
    org_id uuid not null,
    id uuid not null,
    agent_org_id uuid not null,
    agent_id uuid not null,
    agent_revision integer not null,
    session_id text not null default '',
    parent_execution_id uuid,
    call_stack uuid[] not null default '{}',
    initial_prompt text not null default '',
    input jsonb not null default '{}',
    output jsonb,
    state bench_floor.state not null default 'queued',
    error_reason text,
    error_message text,
    attempt integer not null default 0,
    last_event_seq bigint not null default 0,
    priority smallint not null default 3,
    cancel_requested boolean not null default false,
    queue_limit_ms bigint not null,
    attempt_limit_ms bigint not null,
    total_limit_ms bigint not null,
    not_before timestamptz not null default now(),
    traceparent text,
    created_by uuid,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    started_at timestamptz,
    finished_at timestamptz,
    primary key (org_id, id)
);

create table bench_floor.queue (
    org_id uuid not null,
    execution_id uuid not null,
    priority smallint not null default 3,
    available_at timestamptz not null,
    lease_token bigint not null default 0,
    lease_until timestamptz,
    worker_id uuid,
    queue_deadline timestamptz not null,
    attempt_deadline timestamptz,
    total_deadline timestamptz not null,
    created_at timestamptz not null default now(),
    primary key (org_id, execution_id)
);
create index queue_claimable on bench_floor.queue (priority, available_at, execution_id) where worker_id is null;

create table bench_floor.steps (
    org_id uuid not null,
    id uuid not null,
    execution_id uuid not null,
    step_key text not null,
    sequence integer not null,
    step_type bench_floor.step_type not null,
    state bench_floor.state not null,
    input_hash bytea not null,
    input jsonb,
    output jsonb,
    attempt integer not null default 1,
    metadata jsonb not null default '{}',
    started_at timestamptz not null default now(),
    finished_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (org_id, execution_id, step_key)
);

create table bench_floor.events (
    org_id uuid not null,
    execution_id uuid not null,
    seq bigint not null,
    event_type bench_floor.event_type not null,
    step_key text,
    payload jsonb not null default '{}',
    created_at timestamptz not null default now(),
    primary key (org_id, execution_id, seq)
);
";

/// Every execution has ended and has its step and its five events, and nothing is queued.
const COUNT: &str = "
select
    (select count(*) from bench_floor.executions where state = 'succeeded'),
    (select count(*) from bench_floor.queue),
    (select count(*) from bench_floor.steps),
    (select count(*) from bench_floor.events)";

pub(super) async fn create(conn: &mut PgConnection) -> Result<()> {
    drop(conn).await?;
    sqlx::raw_sql(CREATE).execute(conn).await?;
    Ok(())
}

pub(super) async fn drop(conn: &mut PgConnection) -> Result<()> {
    sqlx::raw_sql(DROP).execute(conn).await?;
    Ok(())
}

pub(super) async fn verify(conn: &mut PgConnection, executions: i64) -> Result<()> {
    let found: (i64, i64, i64, i64) = sqlx::query_as(COUNT).fetch_one(conn).await?;
    let expected = (executions, 0, executions, executions * 5);
    ensure!(found == expected, "the floor has left {found:?}, and not {expected:?}");
    Ok(())
}
