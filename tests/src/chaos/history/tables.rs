//! What the tables say, read as the superuser.

use crate::chaos::clocks::Time;
use sqlx::{FromRow, PgConnection, Result};
use std::collections::HashMap;
use uuid::Uuid;

#[derive(Clone, Debug, Default)]
pub struct Tables {
    pub executions: Vec<Execution>,
    /// Executions that have a row in the queue.
    pub queued: Vec<Uuid>,
}

#[derive(Clone, Debug, FromRow)]
pub struct Execution {
    pub id: Uuid,
    /// The name that its caller gave it.
    pub run: String,
    pub state: String,
    pub error: Option<String>,
    pub last_event_seq: i64,
    pub finished_at: Option<Time>,
    /// In their order.
    #[sqlx(skip)]
    pub events: Vec<Event>,
    #[sqlx(skip)]
    pub steps: Vec<Step>,
}

#[derive(Clone, Debug, FromRow)]
pub struct Event {
    pub execution_id: Uuid,
    pub seq: i64,
    pub kind: String,
    pub at: Time,
    pub step_key: Option<String>,
    /// The attempt of the step, where the event says so.
    pub attempt: Option<i32>,
}

#[derive(Clone, Debug, FromRow)]
pub struct Step {
    pub execution_id: Uuid,
    pub step_key: String,
    pub state: String,
    pub attempt: i32,
    pub finished_at: Option<Time>,
    /// Attempts that are written down.
    pub actions: i64,
    /// Those of them that have no end.
    pub open_actions: i64,
}

impl Execution {
    pub fn step(&self, key: &str) -> Option<&Step> {
        self.steps.iter().find(|it| it.step_key == key)
    }

    /// Whether somebody had asked to stop it by then.
    pub fn was_cancelled_before(&self, time: Option<Time>) -> bool {
        let asked = self.events.iter().find(|it| it.kind == "cancel_requested");
        asked.is_some_and(|it| time.is_none_or(|time| it.at < time))
    }

    /// When it was first left to a person, after this time, to say what became of a step.
    pub fn asked_after(&self, time: Time) -> Option<Time> {
        let asked = self.events.iter().filter(|it| it.kind == "step_waiting" && time < it.at);
        asked.map(|it| it.at).min()
    }
}

impl Event {
    pub fn is_final(&self) -> bool {
        matches!(
            self.kind.as_str(),
            "execution_succeeded" | "execution_failed" | "execution_cancelled"
        )
    }
}

/// Everything, in the snapshot of the connection.
pub async fn read(conn: &mut PgConnection) -> Result<Tables> {
    let mut executions: Vec<Execution> = sqlx::query_as(
        "select id, coalesce(input->>'run', '') as run, state::text, last_event_seq, finished_at,
            error_reason || ': ' || coalesce(error_message, '') as error
         from runtime.agent_executions
         order by id",
    )
    .fetch_all(&mut *conn)
    .await?;
    let events: Vec<Event> = sqlx::query_as(
        "select execution_id, seq, event_type::text as kind, created_at as at, step_key,
            case when jsonb_typeof(payload->'attempt') = 'number' then (payload->>'attempt')::int end as attempt
         from runtime.execution_events
         order by execution_id, seq",
    )
    .fetch_all(&mut *conn)
    .await?;
    let steps: Vec<Step> = sqlx::query_as(
        "select s.execution_id, s.step_key, s.state::text, s.attempt, s.finished_at,
            count(a.id) as actions,
            count(a.id) filter (where a.finished_at is null) as open_actions
         from runtime.execution_steps as s
         left join runtime.action_executions as a on a.org_id = s.org_id and a.step_id = s.id
         group by s.org_id, s.id, s.execution_id, s.step_key, s.state, s.attempt, s.finished_at",
    )
    .fetch_all(&mut *conn)
    .await?;
    let queued = sqlx::query_scalar("select execution_id from runtime.execution_queue")
        .fetch_all(&mut *conn)
        .await?;
    let at: HashMap<Uuid, usize> =
        executions.iter().enumerate().map(|(number, it)| (it.id, number)).collect();
    // Those without an execution can not be: a foreign key sees to that.
    for event in events {
        if let Some(number) = at.get(&event.execution_id) {
            executions[*number].events.push(event);
        }
    }
    for step in steps {
        if let Some(number) = at.get(&step.execution_id) {
            executions[*number].steps.push(step);
        }
    }
    Ok(Tables { executions, queued })
}
