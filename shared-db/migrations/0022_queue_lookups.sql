-- squawk-ignore-file require-concurrent-index-deletion, require-concurrent-index-creation
-- While the queue is known to be empty, the planner takes any index that begins with the organization to be as good as another, and such a plan
-- reads all that the organization has queued when it is long. Two lookups get an index that nothing else can stand in for.

-- Children are found by their parent alone.
drop index runtime.execution_queue_children;
create index execution_queue_children on runtime.execution_queue (parent_execution_id, org_id, detached)
    where parent_execution_id is not null;

-- Those that wait for children are gone through in an order that the primary key has not.
drop index runtime.execution_queue_joining;
create index execution_queue_joining on runtime.execution_queue (execution_id, org_id) where joins;
