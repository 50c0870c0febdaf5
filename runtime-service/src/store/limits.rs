//! Limits on how many executions are under way at once. A singleton for each organization, and one row for each agent and platform.
//!
//! Claiming locks the row of the organization; without one an organization has no limits.

use shared_db::{enums::LimitSubject, error::Result, ids::OrganizationId};
use sqlx::PgConnection;
use uuid::Uuid;

/// Sets the limit of the organization; `None`: as many as there are workers.
pub async fn put_organization(
    conn: &mut PgConnection,
    org: OrganizationId,
    executions_max: Option<i32>,
) -> Result<()> {
    sqlx::query!(
        "insert into runtime.organization_limits (org_id, executions_max)
         values ($1, $2)
         on conflict (org_id) do update
         set executions_max = excluded.executions_max",
        org.0,
        executions_max,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Locks the row of the organization, which it makes if there is none, so that claims and changes of limits come one after the other.
pub async fn lock(conn: &mut PgConnection, org: OrganizationId) -> Result<()> {
    sqlx::query!(
        "insert into runtime.organization_limits (org_id)
         values ($1)
         on conflict (org_id) do update
         set executions_max = organization_limits.executions_max",
        org.0,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Sets the limit of an agent or a platform. Under [`lock`].
pub async fn put(
    conn: &mut PgConnection,
    org: OrganizationId,
    (subject, id): (LimitSubject, Uuid),
    executions_max: i32,
) -> Result<()> {
    sqlx::query!(
        "insert into runtime.concurrency_limits (org_id, subject, subject_id, executions_max)
         values ($1, $2, $3, $4)
         on conflict (org_id, subject, subject_id) do update
         set executions_max = excluded.executions_max",
        org.0,
        subject as LimitSubject,
        id,
        executions_max,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// How many agents and platforms have limits.
pub async fn count(conn: &mut PgConnection, org: OrganizationId) -> Result<i64> {
    let row = sqlx::query!(
        r#"select count(*) as "count!" from runtime.concurrency_limits where org_id = $1"#,
        org.0,
    )
    .fetch_one(conn)
    .await?;
    Ok(row.count)
}

/// Removes the limit of an agent or a platform, if it has one. Under [`lock`].
pub async fn delete(
    conn: &mut PgConnection,
    org: OrganizationId,
    (subject, id): (LimitSubject, Uuid),
) -> Result<()> {
    sqlx::query!(
        "delete from runtime.concurrency_limits
         where org_id = $1 and subject = $2 and subject_id = $3",
        org.0,
        subject as LimitSubject,
        id,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Lets an organization without limits be claimed without a look at them. Under [`lock`].
pub async fn tidy(conn: &mut PgConnection, org: OrganizationId) -> Result<()> {
    sqlx::query!(
        "delete from runtime.organization_limits as o
         where o.org_id = $1 and o.executions_max is null
           and not exists (select from runtime.concurrency_limits as c where c.org_id = o.org_id)",
        org.0,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Whether there is such an agent that the organization may execute, or such a platform.
///
/// Across organizations: in `Scope::Platform`.
pub async fn is_there(
    conn: &mut PgConnection,
    org: OrganizationId,
    (subject, id): (LimitSubject, Uuid),
) -> Result<bool> {
    let row = sqlx::query!(
        r#"select case $2::runtime.limit_subject
            when 'agent' then exists (
                select from runtime.agents as a
                where a.id = $3 and a.deleted_at is null
                  and (a.org_id = $1 or exists (
                    select from runtime.agent_organizations as s
                    where s.org_id = $1 and s.agent_id = a.id and s.agent_org_id = a.org_id
                  ))
            )
            else exists (select from web.app_platforms as p where p.id = $3)
        end as "there!""#,
        org.0,
        subject as LimitSubject,
        id,
    )
    .fetch_one(conn)
    .await?;
    Ok(row.there)
}
