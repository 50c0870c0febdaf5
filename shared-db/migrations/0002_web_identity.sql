-- Who there is: organizations, users, what they are to each other, and how they authenticate.

create table web.users (
    id uuid primary key,
    email text not null,
    name text not null,
    active boolean not null default true,
    system_role text not null default 'user',
    -- A preference of the person. The organization of a call comes with the call.
    current_org_id uuid,
    last_login_at timestamptz,
    -- `sub` of the tokens that stand for this user.
    subject text,
    etag uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint users_email_check check (char_length(email) between 3 and 254 and position('@' in email) > 1),
    constraint users_name_check check (char_length(name) between 1 and 200),
    constraint users_system_role_check check (system_role in ('user', 'system_admin')),
    constraint users_subject_check check (char_length(subject) between 1 and 255)
);
create unique index users_email_key on web.users (lower(email));
create unique index users_subject_key on web.users (subject) where subject is not null;
create index users_newest on web.users (created_at desc, id desc);

create table web.organizations (
    id uuid primary key,
    slug text not null,
    name text not null,
    description text,
    url text,
    settings jsonb not null default '{}',
    subscription_info jsonb not null default '{}',
    created_by uuid,
    etag uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint organizations_slug_key unique (slug),
    constraint organizations_slug_check check (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    constraint organizations_name_check check (char_length(name) between 1 and 200),
    constraint organizations_description_check check (char_length(description) <= 4000),
    constraint organizations_url_check check (char_length(url) <= 2000 and url ~ '^https?://'),
    constraint organizations_settings_check check (jsonb_typeof(settings) = 'object' and octet_length(settings::text) <= 65536),
    constraint organizations_subscription_info_check check (jsonb_typeof(subscription_info) = 'object' and octet_length(subscription_info::text) <= 65536),
    constraint organizations_created_by_fkey foreign key (created_by) references web.users (id) on delete set null
);
create index organizations_newest on web.organizations (created_at desc, id desc);
create index organizations_by_creator on web.organizations (created_by);

alter table web.users
    add constraint users_current_org_id_fkey foreign key (current_org_id) references web.organizations (id) on delete set null;
create index users_by_current_organization on web.users (current_org_id);

create type web.member_role as enum ('viewer', 'developer', 'admin', 'owner');

create table web.organization_members (
    org_id uuid not null references web.organizations (id) on delete cascade,
    user_id uuid not null references web.users (id) on delete cascade,
    role web.member_role not null,
    permissions text[] not null default '{}',
    etag uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (org_id, user_id),
    constraint organization_members_permissions_check check (cardinality(permissions) <= 100)
);
create index organization_members_by_user on web.organization_members (user_id, org_id);
create index organization_members_newest on web.organization_members (org_id, created_at desc, user_id desc);

create table web.api_keys (
    org_id uuid not null references web.organizations (id) on delete cascade,
    id uuid not null,
    name text not null,
    -- The public part, by which a key is found.
    prefix text not null,
    -- SHA-256 of the secret part, which is 256 random bits: a slow hash would protect nothing more.
    key_hash bytea not null,
    role web.member_role not null,
    user_id uuid,
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz,
    created_by uuid,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (org_id, id),
    constraint api_keys_prefix_key unique (prefix),
    constraint api_keys_name_check check (char_length(name) between 1 and 200),
    constraint api_keys_prefix_check check (prefix ~ '^[0-9A-Za-z]{12}$'),
    constraint api_keys_key_hash_check check (octet_length(key_hash) = 32),
    constraint api_keys_user_id_fkey foreign key (org_id, user_id) references web.organization_members (org_id, user_id) on delete cascade
);
create index api_keys_newest on web.api_keys (org_id, created_at desc, id desc);
create index api_keys_by_user on web.api_keys (org_id, user_id);

-- The audit trail. No role can change or remove a row of it.
create table web.activities (
    org_id uuid not null references web.organizations (id) on delete cascade,
    id uuid not null,
    -- Not foreign keys: what was done stays true when the person or the key is gone.
    actor_user_id uuid,
    actor_api_key_id uuid,
    action text not null,
    resource_type text not null,
    resource_id uuid not null,
    fields text[] not null default '{}',
    trace_id text,
    created_at timestamptz not null default now(),
    primary key (org_id, id),
    constraint activities_action_check check (char_length(action) between 1 and 100),
    constraint activities_resource_type_check check (char_length(resource_type) between 1 and 63),
    constraint activities_fields_check check (cardinality(fields) <= 100),
    constraint activities_trace_id_check check (trace_id ~ '^[0-9a-f]{32}$')
);
create index activities_newest on web.activities (org_id, created_at desc, id desc);
create index activities_by_resource on web.activities (org_id, resource_id, created_at desc, id desc);
create index activities_by_actor on web.activities (org_id, actor_user_id, created_at desc, id desc);

create type web.request_state as enum ('pending', 'answered', 'abandoned');

-- What makes a repeated request the same request: the hash of what was asked under an id, and what was answered.
create table web.request_ids (
    org_id uuid not null references web.organizations (id) on delete cascade,
    request_id text not null,
    method text not null,
    payload_hash bytea not null,
    -- The id that was chosen for what the request makes.
    resource_id uuid not null,
    state web.request_state not null,
    -- The command to runtime-service, kept until it is answered so that any replica can send it again.
    command bytea,
    -- For whom it is sent and what the audit trail says of it. Not foreign keys: see activities.
    user_id uuid,
    api_key_id uuid,
    traceparent text,
    response bytea,
    send_attempts integer not null default 0,
    -- No other replica sends the command again before.
    send_after timestamptz not null default now(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (org_id, request_id),
    constraint request_ids_request_id_check check (char_length(request_id) between 1 and 64),
    constraint request_ids_method_check check (char_length(method) between 1 and 100),
    constraint request_ids_payload_hash_check check (octet_length(payload_hash) = 32),
    -- What a message may weigh.
    constraint request_ids_command_check check (octet_length(command) <= 4194304),
    constraint request_ids_response_check check (octet_length(response) <= 4194304),
    constraint request_ids_state_check check ((state = 'answered') = (response is not null)),
    constraint request_ids_send_attempts_check check (send_attempts >= 0)
);
create index request_ids_to_send on web.request_ids (send_after) where state = 'pending' and command is not null;
create index request_ids_by_age on web.request_ids (created_at);
