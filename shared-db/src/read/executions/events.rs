//! What happened to executions, and which of them have news: what watching them needs.

use super::Progress;
use crate::{
    enums::{EventType, ExecutionState},
    error::{Error, Result},
    ids::{ExecutionId, OrganizationId},
    read::object,
    wire::timestamp,
};
use chrono::{DateTime, Utc};
use common_api::types as pb;
use futures_util::TryStreamExt;
use prost::Message;
use serde_json::Value;
use sqlx::PgConnection;
use uuid::Uuid;

/// How much is read at a time.
#[derive(Clone, Copy, Debug)]
pub struct Most {
    /// Of one execution.
    pub events: i64,
    /// Of all messages together; the first is read however large it is.
    pub bytes: usize,
}

/// Events that follow each other without a gap, and their bytes on the wire.
#[derive(Debug, Default)]
pub struct Events {
    pub list: Vec<pb::ExecutionEvent>,
    pub bytes: usize,
}

impl Events {
    fn push(&mut self, event: pb::ExecutionEvent) {
        self.bytes += event.encoded_len();
        self.list.push(event);
    }
}

/// What has come of an execution.
#[derive(Debug)]
pub struct News {
    pub id: ExecutionId,
    pub progress: Progress,
    /// Events from where it was asked for on, if they are still kept.
    pub events: Events,
}

/// A row of `runtime.execution_events`.
struct Event {
    execution_id: ExecutionId,
    seq: i64,
    kind: EventType,
    step_key: Option<String>,
    payload: Value,
    created_at: DateTime<Utc>,
}

/// Where an execution stands, with one of its events if it has news.
struct Row {
    id: ExecutionId,
    state: ExecutionState,
    last_event_seq: i64,
    seq: Option<i64>,
    kind: Option<EventType>,
    step_key: Option<String>,
    payload: Option<Value>,
    created_at: Option<DateTime<Utc>>,
}

/// The next events of an execution from `from_seq` on. Fails when they are not kept any more and newer ones are.
pub async fn list(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: ExecutionId,
    from_seq: i64,
    most: Most,
) -> Result<Events> {
    let mut rows = sqlx::query_as!(
        Event,
        "select execution_id, seq, event_type as kind, step_key, payload, created_at
         from runtime.execution_events
         where org_id = $1 and execution_id = $2 and $3 <= seq
         order by seq
         limit $4",
        org.0,
        id.0,
        from_seq,
        most.events,
    )
    .fetch(conn);
    let mut events = Events::default();
    let mut next = from_seq;
    while let Some(row) = rows.try_next().await? {
        if row.seq != next {
            if events.list.is_empty() {
                return Err(Error::HistoryTruncated { first_seq: row.seq });
            }
            break;
        }
        next += 1;
        events.push(row.into());
        if most.bytes <= events.bytes {
            break;
        }
    }
    Ok(events)
}

/// Those of the executions that have events beyond the `seq` beside them, or are there no more. For all organizations at once:
/// what came, [`news`] reads for each of them.
pub async fn changed(
    conn: &mut PgConnection,
    known: &[(OrganizationId, ExecutionId, i64)],
) -> Result<Vec<(OrganizationId, ExecutionId)>> {
    let orgs: Vec<Uuid> = known.iter().map(|it| it.0.0).collect();
    let ids: Vec<Uuid> = known.iter().map(|it| it.1.0).collect();
    let seqs: Vec<i64> = known.iter().map(|it| it.2).collect();
    let rows = sqlx::query!(
        r#"select known.org_id as "org_id!: OrganizationId", known.id as "id!: ExecutionId"
         from unnest($1::uuid[], $2::uuid[], $3::bigint[]) as known (org_id, id, seq)
         left join runtime.agent_executions e on e.org_id = known.org_id and e.id = known.id
         where e.id is null or known.seq < e.last_event_seq"#,
        &orgs,
        &ids,
        &seqs,
    )
    .fetch_all(conn)
    .await?;
    Ok(rows.into_iter().map(|it| (it.org_id, it.id)).collect())
}

/// Where executions of the organization stand, each with its next events from the `seq` beside it on. One that is there no more is
/// not in the answer.
pub async fn news(
    conn: &mut PgConnection,
    org: OrganizationId,
    next: &[(ExecutionId, i64)],
    most: Most,
) -> Result<Vec<News>> {
    let ids: Vec<Uuid> = next.iter().map(|it| it.0.0).collect();
    let seqs: Vec<i64> = next.iter().map(|it| it.1).collect();
    let mut rows = sqlx::query_as!(
        Row,
        r#"select e.id, e.state, e.last_event_seq, v.seq as "seq?", v.event_type as "kind?: EventType",
             v.step_key as "step_key?", v.payload as "payload?", v.created_at as "created_at?"
         from unnest($2::uuid[], $3::bigint[]) as known (id, next)
         join runtime.agent_executions e on e.org_id = $1 and e.id = known.id
         left join lateral (
             select seq, event_type, step_key, payload, created_at
             from runtime.execution_events
             where org_id = $1 and execution_id = known.id and known.next <= seq
             order by seq
             limit $4
         ) v on true
         order by e.id, v.seq"#,
        org.0,
        &ids,
        &seqs,
        most.events,
    )
    .fetch(conn);
    let (mut all, mut bytes) = (Vec::<News>::new(), 0);
    while let Some(row) = rows.try_next().await? {
        if all.last().is_none_or(|it| it.id != row.id) {
            let progress = Progress { state: row.state, last_event_seq: row.last_event_seq };
            all.push(News { id: row.id, progress, events: Events::default() });
        }
        let (Some(one), Some(event)) = (all.last_mut(), row.event()) else { continue };
        let gap = one.events.list.last().is_some_and(|it| it.seq + 1 != event.seq);
        if !gap && bytes < most.bytes {
            let before = one.events.bytes;
            one.events.push(event);
            bytes += one.events.bytes - before;
        }
    }
    Ok(all)
}

impl Row {
    fn event(self) -> Option<pb::ExecutionEvent> {
        let event = Event {
            execution_id: self.id,
            seq: self.seq?,
            kind: self.kind?,
            step_key: self.step_key,
            payload: self.payload?,
            created_at: self.created_at?,
        };
        Some(event.into())
    }
}

impl From<Event> for pb::ExecutionEvent {
    fn from(it: Event) -> Self {
        Self {
            execution_id: it.execution_id.to_string(),
            seq: it.seq,
            r#type: pb::EventType::from(it.kind).into(),
            step_key: it.step_key.unwrap_or_default(),
            payload: object(it.payload),
            create_time: Some(timestamp(it.created_at)),
        }
    }
}
