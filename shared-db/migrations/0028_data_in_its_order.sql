-- squawk-ignore-file require-concurrent-index-creation, adding-serial-primary-key-field, constraint-missing-not-valid, ban-drop-constraint
-- What a tree has kept is listed in the order in which it was kept, and its list reads a page instead of all of it. `shared-db migrate` runs a
-- migration in one transaction, where no index can be made concurrently.

create index workflow_data_in_order on runtime.workflow_data (org_id, root_execution_id, created_at, (md5(key)::uuid));

-- The primary key is made last, for the reason that migration 0011 gives; nothing refers to it.
alter table runtime.workflow_data drop constraint workflow_data_pkey;
alter table runtime.workflow_data add constraint workflow_data_pkey primary key (org_id, root_execution_id, key);
