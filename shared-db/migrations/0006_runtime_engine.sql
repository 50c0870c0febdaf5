-- squawk-ignore-file adding-not-nullable-field, ban-drop-constraint, require-concurrent-index-creation, renaming-table, renaming-object, require-concurrent-index-deletion
-- The engine: a queue that claims by organization, workers whose heartbeat is the lease on all that they hold, and what executions
-- wait for.
--
-- Children of an execution (steps, actions, events) are written by whoever holds its queue row, in one statement with it; a foreign
-- key would look the execution up again for each row and lock it. They are partitioned by the execution's id, which is a UUID v7 and
-- so the time of its birth: all that belongs to one execution lies in one partition, and old ones are dropped whole.

alter type runtime.step_type add value 'value' after 'input';
alter type runtime.step_type add value 'sleep' after 'value';
alter type runtime.step_type add value 'signal' after 'sleep';
alter type runtime.step_type add value 'data' after 'signal';

alter type runtime.event_type add value 'execution_suspended' after 'step_retry';
alter type runtime.event_type add value 'execution_woken' after 'execution_suspended';
alter type runtime.event_type add value 'execution_paused' after 'execution_woken';
alter type runtime.event_type add value 'execution_unpaused' after 'execution_paused';
alter type runtime.event_type add value 'step_waiting' after 'execution_unpaused';
alter type runtime.event_type add value 'step_decided' after 'step_waiting';
alter type runtime.event_type add value 'input_requested' after 'step_decided';
alter type runtime.event_type add value 'input_answered' after 'input_requested';
alter type runtime.event_type add value 'signal_received' after 'input_answered';
alter type runtime.event_type add value 'children_started' after 'signal_received';

-- What becomes of children when their parent ends.
create type runtime.close_policy as enum ('terminate', 'abandon', 'request_cancel');

alter table runtime.agent_executions
    -- The outermost execution of the tree that it belongs to; itself, if nothing started it.
    add column root_execution_id uuid,
    add column close_policy runtime.close_policy not null default 'terminate',
    -- Named by the caller: no two executions of an organization run under one key.
    add column execution_key text,
    -- The execution whose finished steps it began with, and the step from which on it did its own.
    add column forked_from uuid,
    add column forked_from_step text,
    add column pause_requested boolean not null default false,
    -- Platforms that its agent calls, whose limits count it.
    add column platforms uuid[],
    add constraint agent_executions_execution_key_check check (char_length(execution_key) between 1 and 255),
    add constraint agent_executions_forked_from_step_check check (char_length(forked_from_step) between 1 and 63);
update runtime.agent_executions set root_execution_id = coalesce(call_stack[1], id);
alter table runtime.agent_executions alter column root_execution_id set not null;
-- Room on the page for the update that ends an execution, so that no index learns of it.
alter table runtime.agent_executions set (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
-- A parent is looked up by the queue while it lives; of what has ended the id is a fact of history.
alter table runtime.agent_executions drop constraint agent_executions_parent_fkey;
create index agent_executions_by_root on runtime.agent_executions (org_id, root_execution_id, id) where parent_execution_id is not null;
create index agent_executions_by_key on runtime.agent_executions (org_id, execution_key, created_at desc, id desc)
    where execution_key is not null;

-- A process of runtime-service. While `lease_until` is ahead, by the database's clock, it holds every queue row that names it; a row
-- that names a worker which is not here is an orphan.
create table runtime.workers (
    id uuid primary key,
    lease_until timestamptz not null,
    created_at timestamptz not null default now()
) with (fillfactor = 50);

create type runtime.queue_phase as enum (
    -- A worker may take it.
    'ready',
    -- Nobody may before `available_at`, or before what it waits for has come.
    'delayed',
    -- A worker has it.
    'held',
    -- A person holds it.
    'paused'
);

alter table runtime.execution_queue rename to execution_queue_before_0006;
alter table runtime.execution_queue_before_0006 rename constraint execution_queue_pkey to execution_queue_before_0006_pkey;
drop index runtime.execution_queue_held;

-- One narrow row for each execution that has not ended. Workers claim from it; the token that fences their writes lives here.
create table runtime.execution_queue (
    org_id uuid not null,
    execution_id uuid not null,
    phase runtime.queue_phase not null default 'ready',
    cancel_requested boolean not null default false,
    pause_requested boolean not null default false,
    -- It waits for its children to end.
    joins boolean not null default false,
    priority smallint not null default 3,
    attempt integer not null default 0,
    -- How often its worker was lost with it.
    lost_leases integer not null default 0,
    -- Grows at claim, release, cancel and rescue; every write of a worker carries the token that it was given.
    lease_token bigint not null default 0,
    worker_id uuid,
    -- Not claimed before; infinity: until it is woken.
    available_at timestamptz not null,
    -- The order of claiming within an organization: `available_at` in milliseconds, earlier or later by 30 s for each priority above or
    -- below the third.
    -- What waits long enough overtakes everything.
    rank bigint not null,
    -- The next moment at which somebody has to look, whoever holds it: a limit that passes.
    deadline timestamptz not null,
    -- The queue limit; null once a worker has begun it.
    queue_deadline timestamptz,
    total_deadline timestamptz not null,
    attempt_limit_ms bigint not null,
    agent_id uuid not null,
    parent_execution_id uuid,
    execution_key text,
    -- Platforms that its agent calls, whose limits count it.
    platforms uuid[],
    created_at timestamptz not null default now(),
    primary key (org_id, execution_id),
    constraint execution_queue_priority_check check (priority between 1 and 5),
    constraint execution_queue_held_check check ((phase = 'held') = (worker_id is not null)),
    constraint execution_queue_lost_leases_check check (lost_leases >= 0),
    constraint execution_queue_attempt_check check (attempt >= 0)
) with (
    fillfactor = 80,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_insert_threshold = -1,
    autovacuum_analyze_scale_factor = 0,
    autovacuum_analyze_threshold = 20000,
    autovacuum_vacuum_cost_delay = 0
);
create index execution_queue_ready on runtime.execution_queue (org_id, rank) where phase = 'ready';
create index execution_queue_delayed on runtime.execution_queue (available_at) where phase = 'delayed';
create index execution_queue_held on runtime.execution_queue (worker_id, org_id) where phase = 'held';
create index execution_queue_deadline on runtime.execution_queue (deadline);
create index execution_queue_children on runtime.execution_queue (org_id, parent_execution_id) where parent_execution_id is not null;
create index execution_queue_joining on runtime.execution_queue (org_id, execution_id) where joins;
create index execution_queue_by_key on runtime.execution_queue (org_id, execution_key, created_at, execution_id)
    where execution_key is not null;

-- What workers of the version before hold goes back to the queue: they do not know this one.
insert into runtime.execution_queue
    (org_id, execution_id, phase, cancel_requested, priority, attempt, lost_leases, lease_token, available_at, rank, deadline,
     queue_deadline, total_deadline, attempt_limit_ms, agent_id, parent_execution_id, created_at)
select q.org_id, q.execution_id,
    (case when q.worker_id is null and now() < q.available_at then 'delayed' else 'ready' end)::runtime.queue_phase,
    q.cancel_requested, q.priority, e.attempt, q.lost_leases, q.lease_token + 1, q.available_at,
    (extract(epoch from q.available_at) * 1000)::bigint + (q.priority - 3) * 30000,
    case when e.attempt = 0 then least(q.queue_deadline, q.total_deadline) else q.total_deadline end,
    case when e.attempt = 0 then q.queue_deadline end, q.total_deadline, e.attempt_limit_ms, e.agent_id, e.parent_execution_id,
    q.created_at
from runtime.execution_queue_before_0006 as q
join runtime.agent_executions as e on e.org_id = q.org_id and e.id = q.execution_id;
update runtime.agent_executions as e
set state = 'queued'
from runtime.execution_queue as q
where q.org_id = e.org_id and q.execution_id = e.id and e.state = 'running';
-- squawk-ignore ban-drop-table
drop table runtime.execution_queue_before_0006;

alter table runtime.action_executions rename to action_executions_before_0006;
alter table runtime.execution_steps rename to execution_steps_before_0006;
alter table runtime.execution_events rename to execution_events_before_0006;
alter table runtime.action_executions_before_0006 rename constraint action_executions_pkey to action_executions_before_0006_pkey;
alter table runtime.execution_steps_before_0006 rename constraint execution_steps_pkey to execution_steps_before_0006_pkey;
alter table runtime.execution_events_before_0006 rename constraint execution_events_pkey to execution_events_before_0006_pkey;
alter table runtime.action_executions_before_0006
    rename constraint action_executions_attempt_key to action_executions_before_0006_attempt_key;
drop index runtime.action_executions_by_execution;

-- What a person decided about a step whose outcome is unknown.
create type runtime.step_decision as enum ('succeeded', 'failed', 'repeat');

-- Checkpoints: a step that has finished is never done again.
create table runtime.execution_steps (
    org_id uuid not null,
    execution_id uuid not null,
    step_key text not null,
    id uuid not null,
    sequence integer not null,
    step_type runtime.step_type not null,
    state runtime.step_state not null,
    side_effect web.side_effect not null,
    -- SHA-256 of the input: a resumed execution that asks for the step with another input is not deterministic.
    input_hash bytea not null,
    input jsonb,
    output jsonb,
    error_reason text,
    error_message text,
    -- Grows with each try, those that a worker's death cut short included.
    attempt integer not null default 1,
    -- Tries that failed by themselves: what the retry policy counts.
    failures integer not null default 0,
    decision runtime.step_decision,
    decided_by uuid,
    -- Until when a step that waits does so at the longest; null: for as long as its execution may.
    wait_until timestamptz,
    metadata jsonb not null default '{}',
    started_at timestamptz not null default now(),
    finished_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (org_id, execution_id, step_key),
    constraint execution_steps_step_key_check check (char_length(step_key) between 1 and 63),
    constraint execution_steps_sequence_check check (sequence >= 1),
    constraint execution_steps_input_hash_check check (octet_length(input_hash) = 32),
    constraint execution_steps_attempt_check check (attempt >= 1),
    constraint execution_steps_failures_check check (failures between 0 and attempt),
    constraint execution_steps_metadata_check check (jsonb_typeof(metadata) = 'object' and octet_length(metadata::text) <= 65536),
    constraint execution_steps_end_check check ((state in ('succeeded', 'failed', 'cancelled')) = (finished_at is not null))
) partition by range (execution_id);
create table runtime.execution_steps_default partition of runtime.execution_steps default;
insert into runtime.execution_steps
    (org_id, execution_id, step_key, id, sequence, step_type, state, side_effect, input_hash, input, output, error_reason,
     error_message, attempt, failures, metadata, started_at, finished_at, created_at, updated_at)
select org_id, execution_id, step_key, id, sequence, step_type, state, side_effect, input_hash, input, output, error_reason,
    error_message, attempt, failures, metadata, started_at, finished_at, created_at, updated_at
from runtime.execution_steps_before_0006;

-- Each attempt to perform a core action, with what was sent and what came back.
create table runtime.action_executions (
    org_id uuid not null,
    execution_id uuid not null,
    id uuid not null,
    step_id uuid not null,
    core_action_id uuid not null,
    core_action_version integer not null,
    attempt integer not null,
    state runtime.step_state not null,
    idempotency_key text not null default '',
    request jsonb,
    response jsonb,
    http_status integer,
    error_reason text,
    error_message text,
    started_at timestamptz not null default now(),
    finished_at timestamptz,
    duration_ms bigint,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (org_id, execution_id, id),
    constraint action_executions_attempt_key unique (org_id, execution_id, step_id, attempt),
    constraint action_executions_attempt_check check (attempt >= 1),
    constraint action_executions_duration_ms_check check (duration_ms >= 0)
) partition by range (execution_id);
create table runtime.action_executions_default partition of runtime.action_executions default;
insert into runtime.action_executions
    (org_id, execution_id, id, step_id, core_action_id, core_action_version, attempt, state, idempotency_key, request, response,
     http_status, error_reason, error_message, started_at, finished_at, duration_ms, created_at, updated_at)
select org_id, execution_id, id, step_id, core_action_id, core_action_version, attempt, state, idempotency_key, request, response,
    http_status, error_reason, error_message, started_at, finished_at, duration_ms, created_at, updated_at
from runtime.action_executions_before_0006;

-- What happened, gapless per execution.
create table runtime.execution_events (
    org_id uuid not null,
    execution_id uuid not null,
    seq bigint not null,
    event_type runtime.event_type not null,
    step_key text,
    payload jsonb not null default '{}',
    created_at timestamptz not null default now(),
    primary key (org_id, execution_id, seq),
    constraint execution_events_seq_check check (seq >= 1),
    constraint execution_events_payload_check check (jsonb_typeof(payload) = 'object' and octet_length(payload::text) <= 65536)
) partition by range (execution_id);
create table runtime.execution_events_default partition of runtime.execution_events default;
insert into runtime.execution_events (org_id, execution_id, seq, event_type, step_key, payload, created_at)
select org_id, execution_id, seq, event_type, step_key, payload, created_at
from runtime.execution_events_before_0006;

-- squawk-ignore ban-drop-table
drop table runtime.execution_events_before_0006, runtime.action_executions_before_0006, runtime.execution_steps_before_0006;

-- Who runs, or ran last, under a key of the organization: starting locks this row.
create table runtime.execution_keys (
    org_id uuid not null,
    execution_key text not null,
    execution_id uuid not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (org_id, execution_key),
    constraint execution_keys_execution_key_check check (char_length(execution_key) between 1 and 255)
);

-- How many executions of an organization may be under way at once. Claiming locks this row, so that two claimers never count past
-- each other. An organization without a row has no limits.
create table runtime.organization_limits (
    org_id uuid primary key,
    -- Null: as many as there are workers.
    executions_max integer,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint organization_limits_executions_max_check check (executions_max >= 0)
);

create type runtime.limit_subject as enum ('agent', 'platform');

-- How many executions of one agent, or of agents that call one platform, may be under way at once.
create table runtime.concurrency_limits (
    org_id uuid not null references runtime.organization_limits (org_id) on delete cascade,
    subject runtime.limit_subject not null,
    subject_id uuid not null,
    executions_max integer not null,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (org_id, subject, subject_id),
    constraint concurrency_limits_executions_max_check check (executions_max >= 0)
);

create type runtime.input_request_state as enum ('open', 'answered', 'expired', 'cancelled');

-- Questions to people. Each is answered once.
create table runtime.input_requests (
    org_id uuid not null,
    id uuid not null,
    execution_id uuid not null,
    step_key text not null,
    request_type text not null default 'form',
    prompt text not null default '',
    schema jsonb,
    -- The least role that may answer; and if there are users, only these.
    least_role web.member_role not null default 'developer',
    user_ids uuid[] not null default '{}',
    -- What is taken as the answer when nobody has answered by then; null: the step fails.
    default_response jsonb,
    expires_at timestamptz,
    state runtime.input_request_state not null default 'open',
    response jsonb,
    responded_by uuid,
    responded_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (org_id, id),
    constraint input_requests_step_key unique (org_id, execution_id, step_key),
    constraint input_requests_request_type_check check (char_length(request_type) between 1 and 50),
    constraint input_requests_prompt_check check (char_length(prompt) <= 20000),
    constraint input_requests_schema_check check (jsonb_typeof(schema) = 'object' and octet_length(schema::text) <= 65536),
    constraint input_requests_user_ids_check check (cardinality(user_ids) <= 100),
    constraint input_requests_default_response_check check (octet_length(default_response::text) <= 262144),
    constraint input_requests_response_check check (octet_length(response::text) <= 262144),
    constraint input_requests_answer_check check ((state = 'answered') = (responded_at is not null))
);
create index input_requests_newest on runtime.input_requests (org_id, created_at desc, id desc);
create index input_requests_open on runtime.input_requests (org_id, created_at desc, id desc) where state = 'open';

-- Messages to executions, taken in the order of their arrival.
create table runtime.execution_signals (
    org_id uuid not null,
    execution_id uuid not null,
    id uuid not null,
    name text not null,
    payload jsonb not null default '{}',
    sent_by uuid,
    -- The step that took it.
    step_key text,
    created_at timestamptz not null default now(),
    primary key (org_id, execution_id, id),
    constraint execution_signals_name_check check (char_length(name) between 1 and 100),
    constraint execution_signals_payload_check check (octet_length(payload::text) <= 65536)
);
create index execution_signals_waiting on runtime.execution_signals (org_id, execution_id, name, created_at, id) where step_key is null;

-- What the executions of one tree share. A key is written once.
create table runtime.workflow_data (
    org_id uuid not null,
    root_execution_id uuid not null,
    key text not null,
    value jsonb not null,
    data_type text not null default 'json',
    tags text[] not null default '{}',
    execution_id uuid not null,
    step_key text not null,
    created_by_agent uuid not null,
    created_at timestamptz not null default now(),
    primary key (org_id, root_execution_id, key),
    constraint workflow_data_key_check check (char_length(key) between 1 and 255),
    constraint workflow_data_value_check check (octet_length(value::text) <= 1048576),
    constraint workflow_data_data_type_check check (char_length(data_type) between 1 and 50),
    constraint workflow_data_tags_check check (cardinality(tags) <= 50)
);
create index workflow_data_by_tag on runtime.workflow_data using gin (tags);

-- Executions that failed in a way that only a person can mend: their workers were lost too often, or every attempt failed.
create table runtime.dead_letters (
    org_id uuid not null,
    execution_id uuid not null,
    agent_id uuid not null,
    reason text not null,
    -- The execution that was started in its place.
    redriven_as uuid,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (org_id, execution_id)
);
create index dead_letters_newest on runtime.dead_letters (org_id, created_at desc, execution_id desc);
