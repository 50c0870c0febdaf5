-- squawk-ignore-file require-concurrent-index-creation, require-concurrent-index-deletion, adding-serial-primary-key-field, constraint-missing-not-valid, ban-drop-constraint
-- Filters of lists that went through all of a person, or of an organization: mail by conversation, movements by category. `shared-db migrate` runs a
-- migration in one transaction, where no index can be made concurrently.

create index emails_by_conversation on web.emails (org_id, user_id, conversation, created_at desc, id desc);
create index transactions_by_category on web.transactions (org_id, user_id, category, posted_at desc, id desc);
-- By platform alone is how the removal of a platform looks for what refers to it; the list of an organization's actions of it needs the rest.
drop index web.core_actions_by_platform;
create index core_actions_by_platform on web.core_actions (platform_id, org_id, created_at desc, id desc);

-- The primary keys are made last, for the reason that migration 0011 gives; nothing refers to them.
alter table web.emails drop constraint emails_pkey;
alter table web.emails add constraint emails_pkey primary key (org_id, id);
alter table web.transactions drop constraint transactions_pkey;
alter table web.transactions add constraint transactions_pkey primary key (org_id, id);
alter table web.core_actions drop constraint core_actions_pkey;
alter table web.core_actions add constraint core_actions_pkey primary key (org_id, id);
