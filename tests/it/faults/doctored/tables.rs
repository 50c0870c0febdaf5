//! Wrongs that are written into the tables.

/// The check, what is wrong, and how it comes to be.
pub(super) type Case = (&'static str, &'static str, &'static [&'static str]);

pub(super) const CASES: [Case; 8] = [
    (
        "nothing acknowledged is lost",
        "an execution is gone",
        // Children were asked for by nobody.
        &["delete from runtime.agent_executions
           where id = (select id from runtime.agent_executions where parent_execution_id is null limit 1)"],
    ),
    (
        "a request makes one execution",
        "an execution is there twice",
        &["insert into runtime.agent_executions
             select (jsonb_populate_record(e, jsonb_build_object('id', gen_random_uuid()))).*
             from runtime.agent_executions as e where parent_execution_id is null limit 1"],
    ),
    (
        "every execution ends as it should",
        "an execution goes on for ever",
        &["update runtime.agent_executions
           set state = 'running', finished_at = null
           where id = (select id from runtime.agent_executions where state = 'succeeded' limit 1)"],
    ),
    (
        "every execution ends as it should",
        "executions fail",
        &[
            "update runtime.agent_executions set state = 'failed', error_reason = 'INTERNAL' where state = 'succeeded'",
            "update runtime.execution_events set event_type = 'execution_failed' where event_type = 'execution_succeeded'",
        ],
    ),
    (
        "the final event is one and last",
        "an execution ends twice",
        &["with ended as (
             update runtime.agent_executions set last_event_seq = last_event_seq + 1
             where id = (select id from runtime.agent_executions where state = 'succeeded' limit 1)
             returning org_id, id, last_event_seq
           )
           insert into runtime.execution_events (org_id, execution_id, seq, event_type)
           select org_id, id, last_event_seq, 'execution_succeeded' from ended"],
    ),
    (
        "the final event is one and last",
        "an event is missing",
        &["delete from runtime.execution_events
           where seq = 2 and execution_id = (select id from runtime.agent_executions limit 1)"],
    ),
    (
        "an attempt is completed once",
        "two workers write the end of one attempt",
        &["with again as (
             select distinct on (execution_id) * from runtime.execution_events where event_type = 'step_succeeded'
           )
           insert into runtime.execution_events (org_id, execution_id, seq, event_type, step_key, payload)
           select org_id, execution_id, 1000, event_type, step_key, payload from again limit 1"],
    ),
    (
        "nothing is held",
        "a step is left open",
        &["update runtime.execution_steps set state = 'running', finished_at = null
           where id = (select id from runtime.execution_steps where state = 'succeeded' limit 1)"],
    ),
];
