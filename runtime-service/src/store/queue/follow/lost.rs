//! What should have followed from an end and did not, because a process died in between. Looked for in pages: each look goes on where the
//! one before stopped.

use super::Who;
use shared_db::{
    error::Result,
    ids::{ExecutionId, OrganizationId},
};
use sqlx::PgConnection;
use uuid::Uuid;

/// Where the next look begins.
#[derive(Clone, Debug, Default)]
pub struct Cursors {
    joins: (Uuid, Uuid),
    parents: (Uuid, Uuid),
    keys: (Uuid, String),
}

/// What was found.
#[derive(Debug, Default)]
pub struct Lost {
    /// They wait for children, and none of them lives.
    pub joins: Vec<Who>,
    /// They have ended, and left children behind.
    pub parents: Vec<Who>,
    /// Their holder has ended, and others wait for them.
    pub keys: Vec<(OrganizationId, String)>,
}

/// Looks at most at `limit` rows of each kind.
pub async fn lost(conn: &mut PgConnection, at: &mut Cursors, limit: i64) -> Result<Lost> {
    Ok(Lost {
        joins: joins(conn, &mut at.joins, limit).await?,
        parents: parents(conn, &mut at.parents, limit).await?,
        keys: keys(conn, &mut at.keys, limit).await?,
    })
}

/// Where to go on after `rows`: after the last of a full page, or from the beginning.
fn next<T: Default>(rows: usize, limit: i64, last: Option<T>) -> T {
    last.filter(|_| i64::try_from(rows).is_ok_and(|it| limit <= it)).unwrap_or_default()
}

async fn joins(conn: &mut PgConnection, at: &mut (Uuid, Uuid), limit: i64) -> Result<Vec<Who>> {
    let rows = sqlx::query!(
        r#"select p.org_id, p.execution_id, p.phase = 'delayed' and (
            select c.execution_id
            from runtime.execution_queue as c
            where c.parent_execution_id = p.execution_id and c.org_id is not distinct from p.org_id and not c.detached
            limit 1
        ) is null as "over!"
        from runtime.execution_queue as p
        where p.joins and (p.execution_id, p.org_id) > ($2, $1)
        order by p.execution_id, p.org_id
        limit $3"#,
        at.0,
        at.1,
        limit,
    )
    .fetch_all(conn)
    .await?;
    *at = next(rows.len(), limit, rows.last().map(|it| (it.org_id.0, it.execution_id.0)));
    Ok(rows.into_iter().filter(|it| it.over).map(|it| (it.org_id, it.execution_id)).collect())
}

/// Steps from parent to parent, however many children each has.
async fn parents(conn: &mut PgConnection, at: &mut (Uuid, Uuid), limit: i64) -> Result<Vec<Who>> {
    let rows = sqlx::query!(
        r#"with recursive parents as (
            (
                select q.org_id, q.parent_execution_id as id
                from runtime.execution_queue as q
                where q.parent_execution_id is not null and (q.parent_execution_id, q.org_id) > ($2, $1)
                order by q.parent_execution_id, q.org_id
                limit 1
            )
            union all
            select next.org_id, next.id
            from parents
            cross join lateral (
                select q.org_id, q.parent_execution_id as id
                from runtime.execution_queue as q
                where q.parent_execution_id is not null and (q.parent_execution_id, q.org_id) > (parents.id, parents.org_id)
                order by q.parent_execution_id, q.org_id
                limit 1
            ) as next
        ), page as (
            select org_id, id
            from parents
            limit $3
        )
        select
            page.org_id as "org_id!: OrganizationId",
            page.id as "id!: ExecutionId",
            (
                select p.lease_token from runtime.execution_queue as p where p.org_id = page.org_id and p.execution_id = page.id
            ) is null as "gone!"
        from page"#,
        at.0,
        at.1,
        limit,
    )
    .fetch_all(conn)
    .await?;
    *at = next(rows.len(), limit, rows.last().map(|it| (it.org_id.0, it.id.0)));
    Ok(rows.into_iter().filter(|it| it.gone).map(|it| (it.org_id, it.id)).collect())
}

/// Steps from key to key, however many wait for each.
async fn keys(
    conn: &mut PgConnection,
    at: &mut (Uuid, String),
    limit: i64,
) -> Result<Vec<(OrganizationId, String)>> {
    let rows = sqlx::query!(
        r#"with recursive keys as (
            (
                select q.org_id, q.execution_key as key
                from runtime.execution_queue as q
                where q.execution_key is not null and (q.org_id, q.execution_key) > ($1, $2)
                order by q.org_id, q.execution_key
                limit 1
            )
            union all
            select next.org_id, next.key
            from keys
            cross join lateral (
                select q.org_id, q.execution_key as key
                from runtime.execution_queue as q
                where q.execution_key is not null and (q.org_id, q.execution_key) > (keys.org_id, keys.key)
                order by q.org_id, q.execution_key
                limit 1
            ) as next
        ), page as (
            select org_id, key
            from keys
            limit $3
        )
        select
            page.org_id as "org_id!: OrganizationId",
            page.key as "key!",
            not exists (
                select
                from runtime.execution_keys as k
                join runtime.execution_queue as h on h.org_id = k.org_id and h.execution_id = k.execution_id
                where k.org_id = page.org_id and k.execution_key = page.key
            ) as "free!"
        from page"#,
        at.0,
        at.1,
        limit,
    )
    .fetch_all(conn)
    .await?;
    *at = next(rows.len(), limit, rows.last().map(|it| (it.org_id.0, it.key.clone())));
    Ok(rows.into_iter().filter(|it| it.free).map(|it| (it.org_id, it.key)).collect())
}
