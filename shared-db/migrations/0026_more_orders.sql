-- squawk-ignore-file require-concurrent-index-creation
-- Lists by what people call a thing, by place, and by the time of the last change. `shared-db migrate` runs a migration in one transaction, where no
-- index can be made concurrently.

create index notes_by_title on web.notes (org_id, title, id);
create index notes_by_folder_id_title on web.notes (org_id, folder_id, title, id);
create index sheets_by_name on web.sheets (org_id, name, id);
create index files_by_name on web.files (org_id, name, id);
create index files_by_folder_name on web.files (org_id, folder_id, name, id);
create index files_by_updated_at on web.files (org_id, updated_at desc, id desc);
create index files_by_folder_latest on web.files (org_id, folder_id, updated_at desc, id desc);
create index workspace_items_by_section on web.workspace_items (org_id, section, position, id);
create index subscription_tiers_by_position on web.subscription_tiers (position, id);
