//! Request ids: what makes a repeated request the same request. A machine: pending → answered, or → abandoned → pending.
//!
//! What web makes by itself goes through all of it in one transaction: [`claim`], make, [`answer`]. What runtime makes is
//! claimed in one transaction, commanded, and answered in another; in between the row holds the command, and the sender of any
//! replica sends it again.

use shared_db::{
    enums::RequestState,
    error::{Error, Result},
    ids::{ActivityId, ApiKeyId, OrganizationId, UserId},
};
use sqlx::PgConnection;
use std::{collections::HashSet, time::Duration};
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

/// A command that is accepted for the first time, as far as anybody knows.
#[derive(Clone, Debug)]
pub struct Acceptance {
    pub org: OrganizationId,
    pub request_id: String,
    pub method: &'static str,
    pub payload_hash: [u8; 32],
    pub resource_id: Uuid,
    pub command: Vec<u8>,
    pub user: Option<UserId>,
    pub api_key: Option<ApiKeyId>,
    pub traceparent: Option<String>,
}

impl Acceptance {
    /// The same for [`claim`].
    pub fn as_new(&self) -> NewRequest<'_> {
        NewRequest {
            request_id: &self.request_id,
            method: self.method,
            payload_hash: self.payload_hash,
            resource_id: self.resource_id,
            command: Some(&self.command),
            user: self.user,
            api_key: self.api_key,
            traceparent: self.traceparent.as_deref(),
        }
    }
}

/// Takes request ids that nobody has used, of any organization, in one statement. The answers are in their order; false for those that
/// were used before: [`claim`] says what came of them.
pub async fn accept(
    conn: &mut PgConnection,
    new: &[&Acceptance],
    lease: Duration,
) -> Result<Vec<bool>> {
    // The types are not compared: sqlx knows slices that live longer.
    macro_rules! column {
        (|$it:ident| $value:expr) => {
            new.iter().map(|$it| $value).collect::<Vec<_>>()
        };
    }
    let taken = sqlx::query_scalar!(
        "insert into web.request_ids
             (org_id, request_id, method, payload_hash, resource_id, state, command, user_id, api_key_id, traceparent, send_after)
         select org_id, request_id, method, payload_hash, resource_id, 'pending', command, user_id, api_key_id, traceparent,
             now() + $10 * interval '1 second'
         from unnest($1::uuid[], $2::text[], $3::text[], $4::bytea[], $5::uuid[], $6::bytea[], $7::uuid[], $8::uuid[], $9::text[])
             as new (org_id, request_id, method, payload_hash, resource_id, command, user_id, api_key_id, traceparent)
         on conflict (org_id, request_id) do nothing
         returning resource_id",
        column!(|it| it.org.0) as _,
        column!(|it| it.request_id.as_str()) as _,
        column!(|it| it.method) as _,
        column!(|it| it.payload_hash.as_slice()) as _,
        column!(|it| it.resource_id) as _,
        column!(|it| it.command.as_slice()) as _,
        column!(|it| it.user.map(|it| it.0)) as _,
        column!(|it| it.api_key.map(|it| it.0)) as _,
        column!(|it| it.traceparent.as_deref()) as _,
        lease.as_secs_f64(),
    )
    .fetch_all(conn)
    .await?;
    let taken: HashSet<_> = taken.into_iter().collect();
    Ok(new.iter().map(|it| taken.contains(&it.resource_id)).collect())
}

/// An answer that is kept, with the line of the audit trail that goes with it.
#[derive(Clone, Debug)]
pub struct Answered {
    pub org: OrganizationId,
    pub request_id: String,
    pub resource_id: Uuid,
    pub response: Vec<u8>,
    pub activity: ActivityId,
    pub user: Option<UserId>,
    pub api_key: Option<ApiKeyId>,
    pub action: &'static str,
    /// What the trail says was changed.
    pub subject_type: &'static str,
    pub subject_id: Uuid,
    pub trace_id: Option<String>,
}

/// Keeps answers of any organization, in one statement. Where another call has kept one already nothing is written, not even the trail.
pub async fn answer_all(conn: &mut PgConnection, all: &[&Answered]) -> Result<()> {
    // The types are not compared: sqlx knows slices that live longer.
    macro_rules! column {
        (|$it:ident| $value:expr) => {
            all.iter().map(|$it| $value).collect::<Vec<_>>()
        };
    }
    sqlx::query!(
        "with kept as (
             update web.request_ids as r
             set state = 'answered', response = answered.response, command = null, updated_at = now()
             from unnest(
                 $1::uuid[], $2::text[], $3::uuid[], $4::bytea[], $5::uuid[], $6::uuid[], $7::uuid[], $8::text[], $9::text[], $10::uuid[],
                 $11::text[]
             ) as answered (
                 org_id, request_id, resource_id, response, activity_id, user_id, api_key_id, action, subject_type, subject_id, trace_id
             )
             where r.org_id = answered.org_id and r.request_id = answered.request_id and r.resource_id = answered.resource_id
               and r.state <> 'answered'
             returning answered.org_id, answered.activity_id, answered.user_id, answered.api_key_id, answered.action,
                 answered.subject_type, answered.subject_id, answered.trace_id
         )
         insert into web.activities
             (org_id, id, actor_user_id, actor_api_key_id, action, resource_type, resource_id, trace_id)
         select org_id, activity_id, user_id, api_key_id, action, subject_type, subject_id, trace_id
         from kept",
        column!(|it| it.org.0) as _,
        column!(|it| it.request_id.as_str()) as _,
        column!(|it| it.resource_id) as _,
        column!(|it| it.response.as_slice()) as _,
        column!(|it| it.activity.0) as _,
        column!(|it| it.user.map(|it| it.0)) as _,
        column!(|it| it.api_key.map(|it| it.0)) as _,
        column!(|it| it.action) as _,
        column!(|it| it.subject_type) as _,
        column!(|it| it.subject_id) as _,
        column!(|it| it.trace_id.as_deref()) as _,
    )
    .execute(conn)
    .await?;
    Ok(())
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
               -- What a purge erases is not begun.
               and not exists (
                   select from web.purges where subject_id = request_ids.org_id and finished_at is null
               )
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
