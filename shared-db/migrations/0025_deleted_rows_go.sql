-- squawk-ignore-file adding-foreign-key-constraint, constraint-missing-not-valid, require-concurrent-index-creation, ban-drop-column, ban-drop-constraint
-- What was deleted long ago is removed: it is found by when it was deleted.
create index notes_deleted on web.notes (deleted_at) where deleted_at is not null;
create index tasks_deleted on web.tasks (deleted_at) where deleted_at is not null;
create index sheets_deleted on web.sheets (deleted_at) where deleted_at is not null;

-- A task that is removed leaves its subtasks, which nobody has deleted.
alter table web.tasks drop constraint tasks_parent_task_id_fkey;
alter table web.tasks
    add constraint tasks_parent_task_id_fkey foreign key (org_id, parent_task_id) references web.tasks (org_id, id)
    on delete set null (parent_task_id);

-- Nothing ever wrote it. What an organization has subscribed to is in its subscriptions.
alter table web.organizations drop column subscription_info;
