-- What agents can do: platforms and the actions on them.

create table web.app_platforms (
    id uuid primary key,
    slug text not null,
    name text not null,
    description text,
    url text,
    etag uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint app_platforms_slug_key unique (slug),
    constraint app_platforms_slug_check check (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    constraint app_platforms_name_check check (char_length(name) between 1 and 200),
    constraint app_platforms_description_check check (char_length(description) <= 4000),
    constraint app_platforms_url_check check (char_length(url) <= 2000 and url ~ '^https?://')
);
create index app_platforms_newest on web.app_platforms (created_at desc, id desc);

create type web.action_kind as enum ('http');
create type web.risk_level as enum ('low', 'medium', 'high');
create type web.side_effect as enum ('pure', 'idempotent', 'at_most_once');

create table web.core_actions (
    org_id uuid not null references web.organizations (id) on delete cascade,
    id uuid not null,
    slug text not null,
    name text not null,
    description text,
    platform_id uuid,
    version integer not null default 1,
    kind web.action_kind not null,
    -- The message of the kind (for `http` freehold.types.v1.HttpCall), in its JSON form.
    config jsonb not null,
    input_schema jsonb,
    output_schema jsonb,
    risk web.risk_level not null default 'low',
    side_effect web.side_effect not null default 'at_most_once',
    scopes text[] not null default '{}',
    price_credits numeric(20, 6),
    -- freehold.types.v1.RetryPolicy in its JSON form.
    retry jsonb,
    disabled boolean not null default false,
    etag uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (org_id, id),
    constraint core_actions_slug_key unique (org_id, slug),
    constraint core_actions_slug_check check (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    constraint core_actions_name_check check (char_length(name) between 1 and 200),
    constraint core_actions_description_check check (char_length(description) <= 4000),
    constraint core_actions_version_check check (version >= 1),
    constraint core_actions_config_check check (jsonb_typeof(config) = 'object' and octet_length(config::text) <= 262144),
    constraint core_actions_input_schema_check check (jsonb_typeof(input_schema) = 'object' and octet_length(input_schema::text) <= 65536),
    constraint core_actions_output_schema_check check (jsonb_typeof(output_schema) = 'object' and octet_length(output_schema::text) <= 65536),
    constraint core_actions_scopes_check check (cardinality(scopes) <= 50),
    constraint core_actions_price_credits_check check (price_credits >= 0),
    constraint core_actions_retry_check check (jsonb_typeof(retry) = 'object' and octet_length(retry::text) <= 8192),
    constraint core_actions_platform_id_fkey foreign key (platform_id) references web.app_platforms (id)
);
create index core_actions_newest on web.core_actions (org_id, created_at desc, id desc);
create index core_actions_by_platform on web.core_actions (platform_id);
