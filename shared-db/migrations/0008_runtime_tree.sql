-- squawk-ignore-file require-concurrent-index-deletion, require-concurrent-index-creation
-- Trees of executions: a parent waits for those of its children that it has not let go of.

alter table runtime.execution_queue
    -- Its parent does not wait for it.
    add column detached boolean not null default false;
drop index runtime.execution_queue_children;
create index execution_queue_children on runtime.execution_queue (org_id, parent_execution_id, detached)
    where parent_execution_id is not null;
