-- Durable work: executions, the queue that workers claim from, and what executions leave behind.
--
-- Hot rows reference their execution and nothing else: a foreign key to an agent or an organization would lock one and the
-- same row in every concurrent start.

create type runtime.execution_state as enum (
    'queued', 'running', 'waiting_input', 'waiting_effect', 'waiting_children', 'sleeping', 'paused',
    'succeeded', 'failed', 'cancelled'
);

create table runtime.agent_executions (
    org_id uuid not null,
    id uuid not null,
    -- Differs from org_id when the agent is shared by another organization.
    agent_org_id uuid not null,
    agent_id uuid not null,
    agent_revision integer not null,
    session_id text not null default '',
    parent_execution_id uuid,
    call_stack uuid[] not null default '{}',
    initial_prompt text not null default '',
    input jsonb not null default '{}',
    output jsonb,
    state runtime.execution_state not null default 'queued',
    error_reason text,
    error_message text,
    error_step_key text,
    attempt integer not null default 0,
    last_event_seq bigint not null default 0,
    priority smallint not null default 3,
    cancel_requested boolean not null default false,
    -- Milliseconds.
    queue_limit_ms bigint not null,
    attempt_limit_ms bigint not null,
    total_limit_ms bigint not null,
    not_before timestamptz not null default now(),
    -- W3C trace context of the caller, so that the work belongs to the caller's trace across the queue.
    traceparent text,
    created_by uuid,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    started_at timestamptz,
    finished_at timestamptz,
    primary key (org_id, id),
    constraint agent_executions_parent_fkey foreign key (org_id, parent_execution_id) references runtime.agent_executions (org_id, id),
    constraint agent_executions_session_id_check check (char_length(session_id) <= 255),
    constraint agent_executions_initial_prompt_check check (char_length(initial_prompt) <= 100000),
    constraint agent_executions_call_stack_check check (cardinality(call_stack) <= 32),
    constraint agent_executions_input_check check (jsonb_typeof(input) = 'object' and octet_length(input::text) <= 524288),
    constraint agent_executions_output_check check (octet_length(output::text) <= 20971520),
    constraint agent_executions_priority_check check (priority between 1 and 5),
    constraint agent_executions_limits_check check (queue_limit_ms > 0 and attempt_limit_ms > 0 and total_limit_ms > 0),
    constraint agent_executions_end_check check ((state in ('succeeded', 'failed', 'cancelled')) = (finished_at is not null)),
    constraint agent_executions_error_check check ((state in ('failed', 'cancelled')) = (error_reason is not null))
);
create index agent_executions_newest on runtime.agent_executions (org_id, created_at desc, id desc);
create index agent_executions_by_agent on runtime.agent_executions (org_id, agent_id, created_at desc, id desc);
create index agent_executions_by_session on runtime.agent_executions (org_id, session_id, created_at desc, id desc) where session_id <> '';
create index agent_executions_by_parent on runtime.agent_executions (org_id, parent_execution_id) where parent_execution_id is not null;

-- One narrow row for each execution that has not ended. Workers claim from it; the lease and its token live here.
create table runtime.execution_queue (
    org_id uuid not null,
    execution_id uuid not null,
    priority smallint not null default 3,
    -- Not claimed before.
    available_at timestamptz not null,
    -- Grows at claim, release, cancel and expiry; every write of a worker carries the token that it was given.
    lease_token bigint not null default 0,
    -- By the database's clock; null: nobody holds it.
    lease_until timestamptz,
    -- The worker process that holds it.
    worker_id uuid,
    -- How often its lease has ended without the worker letting go.
    lost_leases integer not null default 0,
    cancel_requested boolean not null default false,
    -- The queue limit before the first claim, which makes the token 1.
    queue_deadline timestamptz not null,
    -- The attempt limit of the claim under way.
    attempt_deadline timestamptz,
    total_deadline timestamptz not null,
    created_at timestamptz not null default now(),
    primary key (org_id, execution_id),
    constraint execution_queue_execution_fkey foreign key (org_id, execution_id) references runtime.agent_executions (org_id, id) on delete cascade,
    constraint execution_queue_priority_check check (priority between 1 and 5),
    constraint execution_queue_lease_check check ((lease_until is null) = (worker_id is null)),
    constraint execution_queue_lost_leases_check check (lost_leases >= 0)
);
create index execution_queue_claimable on runtime.execution_queue (priority, available_at, execution_id) where worker_id is null;
create index execution_queue_held on runtime.execution_queue (worker_id) where worker_id is not null;
create index execution_queue_total_deadline on runtime.execution_queue (total_deadline);
create index execution_queue_queue_deadline on runtime.execution_queue (queue_deadline) where lease_token = 0;

create type runtime.step_type as enum (
    'http', 'model', 'code', 'browser', 'connector', 'mcp', 'agent', 'file', 'image', 'research', 'memory', 'input'
);
create type runtime.step_state as enum ('pending', 'running', 'waiting', 'succeeded', 'failed', 'cancelled');

-- Checkpoints: a step that has finished is never done again.
create table runtime.execution_steps (
    org_id uuid not null,
    id uuid not null,
    execution_id uuid not null,
    step_key text not null,
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
    metadata jsonb not null default '{}',
    started_at timestamptz not null default now(),
    finished_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (org_id, execution_id, step_key),
    constraint execution_steps_id_key unique (org_id, id),
    constraint execution_steps_sequence_key unique (org_id, execution_id, sequence),
    constraint execution_steps_execution_fkey foreign key (org_id, execution_id) references runtime.agent_executions (org_id, id) on delete cascade,
    constraint execution_steps_step_key_check check (char_length(step_key) between 1 and 63),
    constraint execution_steps_sequence_check check (sequence >= 1),
    constraint execution_steps_input_hash_check check (octet_length(input_hash) = 32),
    constraint execution_steps_attempt_check check (attempt >= 1),
    constraint execution_steps_failures_check check (failures between 0 and attempt),
    constraint execution_steps_metadata_check check (jsonb_typeof(metadata) = 'object' and octet_length(metadata::text) <= 65536),
    constraint execution_steps_end_check check ((state in ('succeeded', 'failed', 'cancelled')) = (finished_at is not null))
);

-- Each attempt to perform a core action, with what was sent and what came back.
create table runtime.action_executions (
    org_id uuid not null,
    id uuid not null,
    execution_id uuid not null,
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
    primary key (org_id, id),
    constraint action_executions_attempt_key unique (org_id, step_id, attempt),
    constraint action_executions_execution_fkey foreign key (org_id, execution_id) references runtime.agent_executions (org_id, id) on delete cascade,
    constraint action_executions_step_fkey foreign key (org_id, step_id) references runtime.execution_steps (org_id, id) on delete cascade,
    constraint action_executions_attempt_check check (attempt >= 1),
    constraint action_executions_duration_ms_check check (duration_ms >= 0)
);
create index action_executions_by_execution on runtime.action_executions (org_id, execution_id, created_at, id);

create type runtime.event_type as enum (
    'execution_queued', 'execution_started', 'execution_resumed', 'execution_retry',
    'execution_succeeded', 'execution_failed', 'execution_cancelled', 'cancel_requested',
    'step_started', 'step_succeeded', 'step_failed', 'step_retry'
);

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
    constraint execution_events_execution_fkey foreign key (org_id, execution_id) references runtime.agent_executions (org_id, id) on delete cascade,
    constraint execution_events_seq_check check (seq >= 1),
    constraint execution_events_payload_check check (jsonb_typeof(payload) = 'object' and octet_length(payload::text) <= 65536)
);
