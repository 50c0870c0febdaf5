//! Request ids: what makes a repeated request the same request. A machine: pending → answered, or → abandoned → pending.
//!
//! What web makes by itself goes through all of it in one transaction: [`claim`], make, [`answer`]. What runtime makes is
//! claimed in one transaction, commanded, and answered in another; in between the row holds the command, and the sender of any
//! replica sends it again.

use shared_db::{
    enums::RequestState,
    error::{Error, Result},
    ids::{ApiKeyId, OrganizationId, UserId},
};
use sqlx::PgConnection;
use std::time::Duration;
use uuid::Uuid;

/// A request as it first comes in.
#[derive(Clone, Debug)]
pub struct NewRequest<'a> {
    /// Chosen by the caller.
    pub request_id: &'a str,
    pub method: &'static str,
    /// SHA-256 of what was asked, without the request id.
    pub payload_hash: [u8; 32],
    /// Chosen for what the request makes.
    pub resource_id: Uuid,
    /// What the sender sends again until it is answered; `None` for what is done in one transaction.
    pub command: Option<&'a [u8]>,
    pub user: Option<UserId>,
    pub api_key: Option<ApiKeyId>,
    pub traceparent: Option<&'a str>,
}

/// What is to be done about a request.
#[derive(Clone, Debug)]
pub enum Claim {
    /// Do it, under this id: nobody has.
    Fresh(Uuid),
    /// Send the command again: it was accepted, and not answered yet.
    Pending { resource_id: Uuid, command: Vec<u8> },
    /// Give this answer again.
    Answered(Vec<u8>),
}

/// A command that waits to be sent again.
#[derive(Clone, Debug)]
pub struct Due {
    pub org_id: OrganizationId,
    pub request_id: String,
    pub method: String,
    pub resource_id: Uuid,
    pub command: Vec<u8>,
    pub user_id: Option<UserId>,
    pub api_key_id: Option<ApiKeyId>,
    pub traceparent: Option<String>,
    pub send_attempts: i32,
}

/// Takes a request id for a request, or says what came of it before. The sender leaves it alone for `lease`.
///
/// An abandoned id may be taken again, by the same payload (which keeps its resource id, so that it can not be made twice) or by
/// another. Any other id that has been used with another payload is an error that names both.
pub async fn claim(
    conn: &mut PgConnection,
    org: OrganizationId,
    new: &NewRequest<'_>,
    lease: Duration,
) -> Result<Claim> {
    let taken = sqlx::query_scalar!(
        "insert into web.request_ids
             (org_id, request_id, method, payload_hash, resource_id, state, command, user_id, api_key_id, traceparent,
              send_after)
         values ($1, $2, $3, $4, $5, 'pending', $6, $7, $8, $9, now() + $10 * interval '1 second')
         on conflict (org_id, request_id) do update
         set resource_id = case
                 when request_ids.method = excluded.method and request_ids.payload_hash = excluded.payload_hash
                     then request_ids.resource_id
                 else excluded.resource_id
             end,
             method = excluded.method,
             payload_hash = excluded.payload_hash,
             state = 'pending',
             command = excluded.command,
             user_id = excluded.user_id,
             api_key_id = excluded.api_key_id,
             traceparent = excluded.traceparent,
             send_attempts = 0,
             send_after = excluded.send_after
         where request_ids.state = 'abandoned'
         returning resource_id",
        org.0,
        new.request_id,
        new.method,
        new.payload_hash.as_slice(),
        new.resource_id,
        new.command,
        new.user.map(|it| it.0),
        new.api_key.map(|it| it.0),
        new.traceparent,
        lease.as_secs_f64(),
    )
    .fetch_optional(&mut *conn)
    .await?;
    match taken {
        Some(resource_id) => Ok(Claim::Fresh(resource_id)),
        None => again(conn, org, new).await,
    }
}

/// What came of a request that is there already.
async fn again(
    conn: &mut PgConnection,
    org: OrganizationId,
    new: &NewRequest<'_>,
) -> Result<Claim> {
    let it = sqlx::query!(
        "select method, payload_hash, resource_id, state, command, response
         from web.request_ids
         where org_id = $1 and request_id = $2",
        org.0,
        new.request_id,
    )
    .fetch_optional(conn)
    .await?
    // It was there a moment ago: its retention has just ended.
    .ok_or(Error::RequestInProgress)?;
    if it.method != new.method || it.payload_hash != new.payload_hash {
        return Err(Error::RequestIdReused {
            request_id: new.request_id.to_owned(),
            resource_id: it.resource_id.to_string(),
        });
    }
    match (it.state, it.command, it.response) {
        (RequestState::Answered, _, Some(response)) => Ok(Claim::Answered(response)),
        (RequestState::Pending, Some(command), _) => {
            Ok(Claim::Pending { resource_id: it.resource_id, command })
        }
        // Another call is at it in this moment.
        (RequestState::Pending | RequestState::Answered | RequestState::Abandoned, ..) => {
            Err(Error::RequestInProgress)
        }
    }
}

/// Keeps the answer. `false` when another call has kept one already: the trail is written by the one that gets `true`.
pub async fn answer(
    conn: &mut PgConnection,
    org: OrganizationId,
    request_id: &str,
    resource_id: Uuid,
    response: &[u8],
) -> Result<bool> {
    let done = sqlx::query!(
        "update web.request_ids
         set state = 'answered', response = $4, command = null
         where org_id = $1 and request_id = $2 and resource_id = $3 and state <> 'answered'",
        org.0,
        request_id,
        resource_id,
        response,
    )
    .execute(conn)
    .await?;
    Ok(done.rows_affected() == 1)
}

/// Gives up a request that runtime has refused for good: nothing was made, and the id may be used again.
pub async fn abandon(
    conn: &mut PgConnection,
    org: OrganizationId,
    request_id: &str,
    resource_id: Uuid,
) -> Result<()> {
    sqlx::query!(
        "update web.request_ids
         set state = 'abandoned', command = null
         where org_id = $1 and request_id = $2 and resource_id = $3 and state = 'pending'",
        org.0,
        request_id,
        resource_id,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Lets the sender have a pending request after `delay`.
pub async fn send_after(
    conn: &mut PgConnection,
    org: OrganizationId,
    request_id: &str,
    delay: Duration,
) -> Result<()> {
    sqlx::query!(
        "update web.request_ids
         set send_after = now() + $3 * interval '1 second'
         where org_id = $1 and request_id = $2 and state = 'pending'",
        org.0,
        request_id,
        delay.as_secs_f64(),
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Takes commands whose time has come, of any organization, and keeps them from other replicas for `lease`.
pub async fn claim_due(conn: &mut PgConnection, limit: i64, lease: Duration) -> Result<Vec<Due>> {
    let due = sqlx::query_as!(
        Due,
        r#"with due as (
             select org_id, request_id
             from web.request_ids
             where state = 'pending' and command is not null and send_after <= now()
             order by send_after
             limit $1
             for update skip locked
         )
         update web.request_ids it
         set send_after = now() + $2 * interval '1 second', send_attempts = it.send_attempts + 1
         from due
         where it.org_id = due.org_id and it.request_id = due.request_id
         returning it.org_id, it.request_id, it.method, it.resource_id, it.command as "command!", it.user_id,
             it.api_key_id, it.traceparent, it.send_attempts"#,
        limit,
        lease.as_secs_f64(),
    )
    .fetch_all(conn)
    .await?;
    Ok(due)
}

/// Removes at most `limit` requests of any organization that nobody repeats any more. Returns how many there were.
pub async fn purge(conn: &mut PgConnection, older_than: Duration, limit: i64) -> Result<u64> {
    let purged = sqlx::query!(
        "delete from web.request_ids
         where (org_id, request_id) in (
             select org_id, request_id
             from web.request_ids
             where created_at < now() - $1 * interval '1 second' and state <> 'pending'
             order by created_at
             limit $2
             for update skip locked
         )",
        older_than.as_secs_f64(),
        limit,
    )
    .execute(conn)
    .await?;
    Ok(purged.rows_affected())
}
