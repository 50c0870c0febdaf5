//! Limits on how many executions are under way at once, with how many are.

use crate::{enums::LimitSubject, error::Result, ids::OrganizationId};
use common_api::types as pb;
use sqlx::PgConnection;

/// The limits of the organization, as they stood at one moment.
pub async fn get(conn: &mut PgConnection, org: OrganizationId) -> Result<pb::ConcurrencyLimits> {
    let rows = sqlx::query!(
        r#"with live as materialized (
            select agent_id, platforms
            from runtime.execution_queue
            where org_id = $1 and phase = 'held'
        ), whole as (
            select (select executions_max from runtime.organization_limits where org_id = $1) as executions_max,
                (select count(*) from live) as live
        )
        select
            whole.executions_max as "organization_max",
            whole.live as "organization_live!",
            c.subject as "subject?: LimitSubject",
            c.subject_id as "subject_id?",
            c.executions_max as "executions_max?",
            (
                select count(*)
                from live
                where case c.subject when 'agent' then live.agent_id = c.subject_id else c.subject_id = any(live.platforms) end
            ) as "live!"
        from whole
        left join runtime.concurrency_limits as c on c.org_id = $1
        order by c.subject, c.subject_id"#,
        org.0,
    )
    .fetch_all(conn)
    .await?;
    let limit =
        |subject: LimitSubject, id: uuid::Uuid, executions_max, live| pb::ConcurrencyLimit {
            subject: pb::LimitSubject::from(subject).into(),
            subject_id: id.to_string(),
            executions_max,
            executions_live: live,
        };
    Ok(pb::ConcurrencyLimits {
        executions_max: rows.first().and_then(|it| it.organization_max),
        executions_live: rows.first().map_or(0, |it| it.organization_live),
        limits: rows
            .iter()
            .filter_map(|it| Some(limit(it.subject?, it.subject_id?, it.executions_max?, it.live)))
            .collect(),
    })
}
