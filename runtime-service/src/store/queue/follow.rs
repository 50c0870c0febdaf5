//! What follows from the end of an execution, for others: parents that waited for it, children that it leaves behind, and who comes next
//! under its key. All of it may be done twice, by whoever sees it first.
//!
//! All of it crosses organizations: in `Scope::Platform`.

mod children;
mod keys;
mod lost;

pub use children::{Closed, close_children};
pub use keys::{Passed, pass_key};
pub use lost::{Cursors, Lost, lost};

use super::AGEING_STEP_MS;
use shared_db::{
    error::Result,
    ids::{ExecutionId, OrganizationId},
};
use sqlx::PgConnection;
use uuid::Uuid;

/// An execution, as what follows from it is asked for.
pub type Who = (OrganizationId, ExecutionId);

/// Both columns of a list of executions.
pub(super) fn columns(who: &[Who]) -> (Vec<Uuid>, Vec<Uuid>) {
    who.iter().map(|it| (it.0.0, it.1.0)).unzip()
}

/// What an execution is tied to.
#[derive(Clone, Debug)]
pub struct Ties {
    pub org: OrganizationId,
    pub id: ExecutionId,
    pub parent: Option<ExecutionId>,
    pub key: Option<String>,
    /// It has not ended.
    pub live: bool,
    /// Children of it have not ended.
    pub children: bool,
}

pub async fn ties(conn: &mut PgConnection, who: &[Who]) -> Result<Vec<Ties>> {
    let (orgs, ids) = columns(who);
    let rows = sqlx::query_as!(
        Ties,
        r#"select
            e.org_id as org,
            e.id,
            e.parent_execution_id as parent,
            e.execution_key as key,
            exists (select from runtime.execution_queue as q where q.org_id = e.org_id and q.execution_id = e.id) as "live!",
            exists (
                select from runtime.execution_queue as c where c.parent_execution_id = e.id and c.org_id is not distinct from e.org_id
            ) as "children!"
        from unnest($1::uuid[], $2::uuid[]) as asked (org_id, id)
        join runtime.agent_executions as e on e.org_id = asked.org_id and e.id = asked.id"#,
        &orgs,
        &ids,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows)
}

/// Wakes those of `parents` that wait for their children and have none left that lives. Returns the organizations of those that it woke.
pub async fn join(conn: &mut PgConnection, parents: &[Who]) -> Result<Vec<OrganizationId>> {
    let (orgs, ids) = columns(parents);
    let rows = sqlx::query!(
        r#"with asked as (
            select distinct org_id, id
            from unnest($1::uuid[], $2::uuid[]) as asked (org_id, id)
        ), joined as materialized (
            select p.org_id, p.execution_id
            from asked
            join runtime.execution_queue as p on p.org_id = asked.org_id and p.execution_id = asked.id
            where p.joins is not distinct from true and p.phase is not distinct from 'delayed' and (
                select c.execution_id
                from runtime.execution_queue as c
                where c.parent_execution_id = p.execution_id and c.org_id is not distinct from p.org_id and not c.detached
                limit 1
            ) is null
            order by p.org_id, p.execution_id
            for update of p
        ), woken as (
            update runtime.execution_queue as q
            set phase = 'ready',
                available_at = now(),
                rank = (extract(epoch from now()) * 1000)::bigint + (q.priority - 3) * $3::bigint,
                joins = false,
                lease_token = q.lease_token + 1
            from joined
            where q.org_id = joined.org_id and q.execution_id = joined.execution_id
            returning q.org_id, q.execution_id
        ), moved as (
            update runtime.agent_executions as e
            set state = 'queued', last_event_seq = e.last_event_seq + 1
            from woken
            where e.org_id = woken.org_id and e.id = woken.execution_id and e.state = 'waiting_children'
            returning e.org_id, e.id, e.last_event_seq
        ), told as (
            insert into runtime.execution_events (org_id, execution_id, seq, event_type)
            select org_id, id, last_event_seq, 'execution_woken'
            from moved
        )
        select org_id
        from woken"#,
        &orgs,
        &ids,
        AGEING_STEP_MS,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|it| it.org_id).collect())
}
