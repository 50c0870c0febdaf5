-- What people of an organization work with: notes, projects and tasks, messages, calendars, emails, sheets, and the items of their workspace.
-- Row-level security lets only leakproof comparisons (of ids, numbers, times and text; not of enums, arrays or search vectors) be looked up in an
-- index. The rest is compared on the way through an order, which ends when a page is full.

create table web.note_folders (
    org_id uuid not null references web.organizations (id) on delete cascade,
    id uuid not null,
    parent_id uuid,
    name text not null,
    created_by uuid,
    etag uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint note_folders_name_key unique nulls not distinct (org_id, parent_id, name),
    constraint note_folders_name_check check (char_length(name) between 1 and 200),
    constraint note_folders_parent_id_check check (parent_id <> id)
);
create index note_folders_newest on web.note_folders (org_id, created_at desc, id desc);
create index note_folders_by_parent_id on web.note_folders (org_id, parent_id, created_at desc, id desc);
alter table web.note_folders add primary key (org_id, id);
alter table web.note_folders
    add constraint note_folders_parent_id_fkey foreign key (org_id, parent_id) references web.note_folders (org_id, id);

create table web.notes (
    org_id uuid not null references web.organizations (id) on delete cascade,
    id uuid not null,
    folder_id uuid,
    title text not null,
    body text not null default '',
    tags text[] not null default '{}',
    pinned boolean not null default false,
    created_by uuid,
    deleted_at timestamptz,
    search tsvector not null generated always as (to_tsvector('simple', title || ' ' || left(body, 200000))) stored,
    etag uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint notes_title_check check (char_length(title) between 1 and 500),
    constraint notes_body_check check (octet_length(body) <= 1048576),
    constraint notes_tags_check check (cardinality(tags) <= 50),
    constraint notes_folder_id_fkey foreign key (org_id, folder_id) references web.note_folders (org_id, id)
);
create index notes_newest on web.notes (org_id, created_at desc, id desc);
create index notes_by_updated_at on web.notes (org_id, updated_at desc, id desc);
create index notes_by_folder_id on web.notes (org_id, folder_id, created_at desc, id desc);
create index notes_by_folder_id_latest on web.notes (org_id, folder_id, updated_at desc, id desc);
alter table web.notes add primary key (org_id, id);

create type web.project_status as enum ('active', 'paused', 'completed', 'archived');

create table web.projects (
    org_id uuid not null references web.organizations (id) on delete cascade,
    id uuid not null,
    name text not null,
    description text,
    status web.project_status not null default 'active',
    start_at timestamptz,
    due_at timestamptz,
    created_by uuid,
    etag uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint projects_name_check check (char_length(name) between 1 and 200),
    constraint projects_description_check check (char_length(description) <= 4000),
    constraint projects_due_at_check check (start_at <= due_at)
);
create index projects_newest on web.projects (org_id, created_at desc, id desc);
create index projects_by_due_at on web.projects (org_id, (coalesce(due_at, timestamptz '9999-01-01 00:00:00+00')), id);
alter table web.projects add primary key (org_id, id);

create type web.task_status as enum ('todo', 'in_progress', 'blocked', 'done', 'cancelled');

create table web.tasks (
    org_id uuid not null references web.organizations (id) on delete cascade,
    id uuid not null,
    project_id uuid,
    parent_task_id uuid,
    title text not null,
    description text not null default '',
    status web.task_status not null default 'todo',
    priority integer not null default 3,
    due_at timestamptz,
    assignee_user_id uuid,
    assignee_employee_id uuid,
    tags text[] not null default '{}',
    screenshot_file_ids uuid[] not null default '{}',
    created_by uuid,
    deleted_at timestamptz,
    search tsvector not null generated always as (to_tsvector('simple', title || ' ' || description)) stored,
    etag uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint tasks_title_check check (char_length(title) between 1 and 500),
    constraint tasks_description_check check (char_length(description) <= 20000),
    constraint tasks_priority_check check (priority between 1 and 5),
    constraint tasks_tags_check check (cardinality(tags) <= 50),
    constraint tasks_screenshot_file_ids_check check (cardinality(screenshot_file_ids) <= 20),
    constraint tasks_assignee_employee_id_check check (assignee_user_id is null or assignee_employee_id is null),
    constraint tasks_project_id_fkey foreign key (org_id, project_id) references web.projects (org_id, id),
    constraint tasks_assignee_user_id_fkey foreign key (org_id, assignee_user_id) references web.organization_members (org_id, user_id) on delete set null (assignee_user_id),
    constraint tasks_assignee_employee_id_fkey foreign key (org_id, assignee_employee_id) references web.hired_employees (org_id, id) on delete set null (assignee_employee_id)
);
create index tasks_newest on web.tasks (org_id, created_at desc, id desc);
create index tasks_by_updated_at on web.tasks (org_id, updated_at desc, id desc);
create index tasks_by_due_at on web.tasks (org_id, (coalesce(due_at, timestamptz '9999-01-01 00:00:00+00')), id);
create index tasks_by_project_id on web.tasks (org_id, project_id, created_at desc, id desc);
create index tasks_by_parent_task_id on web.tasks (org_id, parent_task_id, created_at desc, id desc);
create index tasks_by_assignee_user_id on web.tasks (org_id, assignee_user_id, created_at desc, id desc);
create index tasks_by_assignee_employee_id on web.tasks (org_id, assignee_employee_id, created_at desc, id desc);
alter table web.tasks add primary key (org_id, id);
alter table web.tasks
    add constraint tasks_parent_task_id_fkey foreign key (org_id, parent_task_id) references web.tasks (org_id, id) on delete cascade;

create type web.message_author as enum ('person', 'employee');

create table web.messages (
    org_id uuid not null references web.organizations (id) on delete cascade,
    id uuid not null,
    thread_id uuid,
    task_id uuid,
    hired_employee_id uuid,
    author web.message_author not null default 'person',
    body text not null,
    read_at timestamptz,
    created_by uuid,
    search tsvector not null generated always as (to_tsvector('simple', body)) stored,
    created_at timestamptz not null default now(),
    constraint messages_body_check check (char_length(body) between 1 and 20000),
    constraint messages_hired_employee_id_check check (author = 'person' or hired_employee_id is not null),
    constraint messages_thread_id_check check (thread_id <> id),
    constraint messages_task_id_fkey foreign key (org_id, task_id) references web.tasks (org_id, id) on delete cascade,
    constraint messages_hired_employee_id_fkey foreign key (org_id, hired_employee_id) references web.hired_employees (org_id, id) on delete cascade
);
create index messages_newest on web.messages (org_id, created_at desc, id desc);
create index messages_by_thread_id on web.messages (org_id, thread_id, created_at desc, id desc);
create index messages_by_task_id on web.messages (org_id, task_id, created_at desc, id desc);
create index messages_by_hired_employee_id on web.messages (org_id, hired_employee_id, created_at desc, id desc);
alter table web.messages add primary key (org_id, id);
alter table web.messages
    add constraint messages_thread_id_fkey foreign key (org_id, thread_id) references web.messages (org_id, id) on delete cascade;

create table web.calendar_events (
    org_id uuid not null references web.organizations (id) on delete cascade,
    id uuid not null,
    title text not null,
    description text not null default '',
    location text not null default '',
    start_at timestamptz not null,
    end_at timestamptz not null,
    all_day boolean not null default false,
    attendees text[] not null default '{}',
    recurrence text not null default '',
    created_by uuid,
    search tsvector not null generated always as (to_tsvector('simple', title || ' ' || description || ' ' || location)) stored,
    etag uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint calendar_events_title_check check (char_length(title) between 1 and 500),
    constraint calendar_events_description_check check (char_length(description) <= 20000),
    constraint calendar_events_location_check check (char_length(location) <= 500),
    constraint calendar_events_attendees_check check (cardinality(attendees) <= 200),
    constraint calendar_events_recurrence_check check (char_length(recurrence) <= 500 and (recurrence = '' or recurrence ~ '^FREQ=(SECONDLY|MINUTELY|HOURLY|DAILY|WEEKLY|MONTHLY|YEARLY)(;[A-Z]+=[A-Z0-9,+-]+)*$')),
    constraint calendar_events_end_at_check check (start_at <= end_at)
);
create index calendar_events_newest on web.calendar_events (org_id, created_at desc, id desc);
create index calendar_events_by_start_at on web.calendar_events (org_id, start_at, id);
alter table web.calendar_events add primary key (org_id, id);

create type web.email_folder as enum ('inbox', 'drafts', 'sent', 'archive', 'spam', 'trash');

create table web.emails (
    org_id uuid not null references web.organizations (id) on delete cascade,
    user_id uuid not null,
    id uuid not null,
    folder web.email_folder not null default 'inbox',
    from_address text not null default '',
    to_addresses text[] not null default '{}',
    cc_addresses text[] not null default '{}',
    subject text not null default '',
    body text not null default '',
    message_id text,
    conversation text not null default '',
    labels text[] not null default '{}',
    read boolean not null default false,
    starred boolean not null default false,
    sent_at timestamptz,
    search tsvector not null generated always as (to_tsvector('simple', subject || ' ' || from_address || ' ' || left(body, 200000))) stored,
    etag uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint emails_from_address_check check (char_length(from_address) <= 254),
    constraint emails_to_addresses_check check (cardinality(to_addresses) <= 200),
    constraint emails_cc_addresses_check check (cardinality(cc_addresses) <= 200),
    constraint emails_subject_check check (char_length(subject) <= 1000),
    constraint emails_body_check check (octet_length(body) <= 1048576),
    constraint emails_message_id_check check (char_length(message_id) <= 998),
    constraint emails_conversation_check check (char_length(conversation) <= 998),
    constraint emails_labels_check check (cardinality(labels) <= 50),
    constraint emails_user_id_fkey foreign key (org_id, user_id) references web.organization_members (org_id, user_id) on delete cascade
);
create index emails_newest on web.emails (org_id, user_id, created_at desc, id desc);
create index emails_by_sent_at on web.emails (org_id, user_id, (coalesce(sent_at, timestamptz '1000-01-01 00:00:00+00')) desc, id desc);
create unique index emails_message_id_key on web.emails (org_id, user_id, message_id) where message_id is not null;
alter table web.emails add primary key (org_id, id);

create table web.sheets (
    org_id uuid not null references web.organizations (id) on delete cascade,
    id uuid not null,
    name text not null,
    description text,
    tags text[] not null default '{}',
    latest_version integer not null default 0,
    created_by uuid,
    deleted_at timestamptz,
    etag uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint sheets_name_check check (char_length(name) between 1 and 200),
    constraint sheets_description_check check (char_length(description) <= 4000),
    constraint sheets_tags_check check (cardinality(tags) <= 50),
    constraint sheets_latest_version_check check (latest_version between 0 and 2147483647)
);
create index sheets_newest on web.sheets (org_id, created_at desc, id desc);
create index sheets_by_updated_at on web.sheets (org_id, updated_at desc, id desc);
alter table web.sheets add primary key (org_id, id);

create table web.sheet_versions (
    org_id uuid not null references web.organizations (id) on delete cascade,
    id uuid not null,
    sheet_id uuid not null,
    version integer not null default 1,
    content jsonb not null default '{}',
    comment text not null default '',
    restored_from integer,
    created_by uuid,
    created_at timestamptz not null default now(),
    constraint sheet_versions_version_key unique (org_id, sheet_id, version),
    constraint sheet_versions_version_check check (version between 1 and 2147483647),
    constraint sheet_versions_content_check check (jsonb_typeof(content) = 'object' and octet_length(content::text) <= 1048576),
    constraint sheet_versions_comment_check check (char_length(comment) <= 1000),
    constraint sheet_versions_sheet_id_fkey foreign key (org_id, sheet_id) references web.sheets (org_id, id) on delete cascade
);
create index sheet_versions_newest on web.sheet_versions (org_id, created_at desc, id desc);
create index sheet_versions_by_sheet_id on web.sheet_versions (org_id, sheet_id, created_at desc, id desc);
alter table web.sheet_versions add primary key (org_id, id);

create type web.workspace_item_kind as enum ('link', 'note', 'task', 'project', 'sheet', 'file', 'agent', 'execution');

create table web.workspace_items (
    org_id uuid not null references web.organizations (id) on delete cascade,
    id uuid not null,
    kind web.workspace_item_kind not null default 'link',
    title text not null,
    resource_id uuid,
    url text,
    section text not null default '',
    position integer not null default 0,
    created_by uuid,
    etag uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint workspace_items_title_check check (char_length(title) between 1 and 200),
    constraint workspace_items_url_check check (char_length(url) <= 2000 and url ~ '^https?://'),
    constraint workspace_items_section_check check (char_length(section) <= 100),
    constraint workspace_items_position_check check (position between 0 and 1000000)
);
create index workspace_items_newest on web.workspace_items (org_id, created_at desc, id desc);
alter table web.workspace_items add primary key (org_id, id);
