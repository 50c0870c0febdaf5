-- squawk-ignore-file require-concurrent-index-deletion, require-concurrent-index-creation
-- A claim writes one index less: what is held is found by its worker, and the deadlines of each worker stand in order there.
drop index runtime.execution_queue_deadline;
create index execution_queue_deadline on runtime.execution_queue (deadline) where phase <> 'held';
drop index runtime.execution_queue_held;
create index execution_queue_held on runtime.execution_queue (worker_id, deadline, org_id) where phase = 'held';
