-- squawk-ignore-file require-concurrent-index-creation
-- What a tree has kept is listed in the order in which it was kept, and its list reads a page instead of all of it. `shared-db migrate` runs a
-- migration in one transaction, where no index can be made concurrently.

create index workflow_data_in_order on runtime.workflow_data (org_id, root_execution_id, created_at, (md5(key)::uuid));
