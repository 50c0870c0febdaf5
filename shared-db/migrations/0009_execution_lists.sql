-- What lists and counts of executions are narrowed by. An index whose columns change makes every update that changes them dear,
-- so none has `state` or `finished_at` in it: those that have not ended have a row in the queue, and those that carry an error are told
-- by a column that most never get.

-- squawk-ignore require-concurrent-index-creation
create index agent_executions_by_error on runtime.agent_executions (org_id, error_reason, created_at desc, id desc) where error_reason is not null;
