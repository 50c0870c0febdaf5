-- What can be connected, what an organization has installed, and how it is configured.

create type web.integration_auth as enum ('none', 'api_key', 'oauth2');

create table web.integration_catalog (
    id uuid not null,
    slug text not null,
    name text not null,
    description text,
    platform_id uuid,
    auth web.integration_auth not null default 'none',
    scopes text[] not null default '{}',
    config_schema jsonb not null default '{}',
    price_credits numeric(22, 8) not null default 0,
    tags text[] not null default '{}',
    categories text[] not null default '{}',
    listed boolean not null default false,
    version integer not null default 1,
    search tsvector not null generated always as (to_tsvector('simple', name || ' ' || coalesce(description, ''))) stored,
    etag uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint integration_catalog_slug_key unique (slug),
    constraint integration_catalog_slug_check check (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    constraint integration_catalog_name_check check (char_length(name) between 1 and 200),
    constraint integration_catalog_description_check check (char_length(description) <= 20000),
    constraint integration_catalog_scopes_check check (cardinality(scopes) <= 50),
    constraint integration_catalog_config_schema_check check (jsonb_typeof(config_schema) = 'object' and octet_length(config_schema::text) <= 65536),
    constraint integration_catalog_price_credits_check check (price_credits >= 0),
    constraint integration_catalog_tags_check check (cardinality(tags) <= 50),
    constraint integration_catalog_categories_check check (cardinality(categories) <= 20),
    constraint integration_catalog_version_check check (version > 0),
    constraint integration_catalog_platform_id_fkey foreign key (platform_id) references web.app_platforms (id)
);
create index integration_catalog_newest on web.integration_catalog (created_at desc, id desc);
create index integration_catalog_by_platform_id on web.integration_catalog (platform_id, created_at desc, id desc);
alter table web.integration_catalog add primary key (id);

create table web.user_installations (
    org_id uuid not null references web.organizations (id) on delete cascade,
    id uuid not null,
    catalog_integration_id uuid not null,
    version integer not null default 1,
    config_schema jsonb not null default '{}',
    scopes text[] not null default '{}',
    price_credits numeric(22, 8) not null default 0,
    created_by uuid,
    etag uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint user_installations_catalog_integration_id_key unique (org_id, catalog_integration_id),
    constraint user_installations_version_check check (version between 1 and 2147483647),
    constraint user_installations_config_schema_check check (jsonb_typeof(config_schema) = 'object' and octet_length(config_schema::text) <= 65536),
    constraint user_installations_scopes_check check (cardinality(scopes) <= 50),
    constraint user_installations_price_credits_check check (price_credits >= 0),
    constraint user_installations_catalog_integration_id_fkey foreign key (catalog_integration_id) references web.integration_catalog (id)
);
create index user_installations_newest on web.user_installations (org_id, created_at desc, id desc);
create index user_installations_by_catalog_integration_id on web.user_installations (org_id, catalog_integration_id, created_at desc, id desc);
alter table web.user_installations add primary key (org_id, id);

create table web.integrations (
    org_id uuid not null references web.organizations (id) on delete cascade,
    id uuid not null,
    installation_id uuid not null,
    name text not null,
    config jsonb not null default '{}',
    enabled boolean not null default false,
    created_by uuid,
    etag uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint integrations_name_key unique (org_id, name),
    constraint integrations_name_check check (char_length(name) between 1 and 200),
    constraint integrations_config_check check (jsonb_typeof(config) = 'object' and octet_length(config::text) <= 65536),
    constraint integrations_installation_id_fkey foreign key (org_id, installation_id) references web.user_installations (org_id, id)
);
create index integrations_newest on web.integrations (org_id, created_at desc, id desc);
create index integrations_by_installation_id on web.integrations (org_id, installation_id, created_at desc, id desc);
alter table web.integrations add primary key (org_id, id);
