-- Executions that wait for workflow data. A row is committed before its execution looks for the key, so that whoever writes the key and
-- looks here afterwards finds everyone who has not seen it.
create table runtime.data_waits (
    org_id uuid not null,
    execution_id uuid not null,
    root_execution_id uuid not null,
    key text not null,
    step_key text not null,
    created_at timestamptz not null default now(),
    primary key (org_id, execution_id, step_key),
    constraint data_waits_key_check check (char_length(key) between 1 and 255),
    constraint data_waits_step_key_check check (char_length(step_key) between 1 and 63)
);
create index data_waits_by_key on runtime.data_waits (org_id, root_execution_id, key);
