//! The runtime's part of purges: what web has ordered, and the receipt of what was erased here.

use common_api::types::PurgedTable;
use shared_db::{
    enums::{PurgeState, PurgeSubject},
    error::{Error, Result},
    ids::{ExecutionId, OrganizationId, PurgeId},
    purge::{self, Book, Order},
};
use sqlx::PgConnection;
use uuid::Uuid;

/// A purge as web has written it down.
#[derive(Clone, Debug)]
pub struct Ordered {
    pub order: Order,
    pub state: PurgeState,
}

/// What web has ordered under this id, if it is about this.
pub async fn ordered(
    conn: &mut PgConnection,
    id: PurgeId,
    subject: PurgeSubject,
    subject_id: Option<Uuid>,
) -> Result<Ordered> {
    let found = sqlx::query!(
        "select subject_id, state
         from web.purges
         where id = $1 and subject = $2 and subject_id = $3",
        id.0,
        subject as PurgeSubject,
        subject_id,
    )
    .fetch_optional(conn)
    .await?;
    let found = found.ok_or_else(|| Error::not_found("purge", id))?;
    let order = Order { purge: id, subject, id: found.subject_id };
    Ok(Ordered { order, state: found.state })
}

/// Takes the agents of an organization out of use, and those of others from it: from then on nothing starts. Returns how many shares
/// were erased.
pub async fn disable(conn: &mut PgConnection, org: OrganizationId) -> Result<i64> {
    sqlx::query!(
        "update runtime.agents
         set deleted_at = now()
         where org_id = $1 and deleted_at is null",
        org.0,
    )
    .execute(&mut *conn)
    .await?;
    let shares = sqlx::query!(
        "delete from runtime.agent_organizations
         where org_id = $1 or agent_org_id = $1",
        org.0,
    )
    .execute(conn)
    .await?;
    Ok(i64::try_from(shares.rows_affected()).unwrap_or(i64::MAX))
}

/// Executions that have not ended and belong to an organization, or use an agent of it; at most `limit`.
pub async fn live(
    conn: &mut PgConnection,
    org: OrganizationId,
    limit: i64,
) -> Result<Vec<(OrganizationId, ExecutionId)>> {
    let rows = sqlx::query!(
        "select org_id, execution_id
         from runtime.execution_queue
         where org_id = $1 or agent_id in (select id from runtime.agents where org_id = $1)
         limit $2",
        org.0,
        limit,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|it| (it.org_id, it.execution_id)).collect())
}

/// The receipts of this service.
#[derive(Clone, Copy, Debug)]
pub struct Receipts;

impl purge::Ledger for Receipts {
    async fn open(&self, conn: &mut PgConnection, id: PurgeId) -> Result<Option<Book>> {
        sqlx::query!(
            "insert into runtime.purge_receipts (id)
             values ($1)
             on conflict do nothing",
            id.0,
        )
        .execute(&mut *conn)
        .await?;
        let book = sqlx::query_as!(
            Book,
            "select counts, progress
             from runtime.purge_receipts
             where id = $1
             for update",
            id.0,
        )
        .fetch_one(conn)
        .await?;
        Ok(Some(book))
    }

    async fn note(&self, conn: &mut PgConnection, id: PurgeId, book: Book) -> Result<()> {
        sqlx::query!(
            "update runtime.purge_receipts
             set counts = $2, progress = $3
             where id = $1",
            id.0,
            book.counts,
            book.progress,
        )
        .execute(conn)
        .await?;
        Ok(())
    }
}

/// What was erased so far.
pub async fn tables(conn: &mut PgConnection, id: PurgeId) -> Result<Vec<PurgedTable>> {
    let counts = sqlx::query_scalar!(
        "select counts
         from runtime.purge_receipts
         where id = $1",
        id.0,
    )
    .fetch_optional(conn)
    .await?;
    Ok(purge::tables(counts.as_ref()))
}
