-- What organizations can hire, and whom they have hired.

create type web.employee_source as enum ('internal', 'kagent', 'registry');

create table web.virtual_employees (
    id uuid not null,
    slug text not null,
    name text not null,
    title text not null default '',
    description text,
    source web.employee_source not null default 'internal',
    source_ref text not null default '',
    price_usd_monthly numeric(22, 8) not null default 0,
    tags text[] not null default '{}',
    categories text[] not null default '{}',
    config_schema jsonb not null default '{}',
    listed boolean not null default false,
    version integer not null default 1,
    search tsvector not null generated always as (to_tsvector('simple', name || ' ' || title || ' ' || coalesce(description, ''))) stored,
    etag uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint virtual_employees_slug_key unique (slug),
    constraint virtual_employees_slug_check check (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    constraint virtual_employees_name_check check (char_length(name) between 1 and 200),
    constraint virtual_employees_title_check check (char_length(title) <= 200),
    constraint virtual_employees_description_check check (char_length(description) <= 20000),
    constraint virtual_employees_source_ref_check check (char_length(source_ref) <= 500),
    constraint virtual_employees_price_usd_monthly_check check (price_usd_monthly >= 0),
    constraint virtual_employees_tags_check check (cardinality(tags) <= 50),
    constraint virtual_employees_categories_check check (cardinality(categories) <= 20),
    constraint virtual_employees_config_schema_check check (jsonb_typeof(config_schema) = 'object' and octet_length(config_schema::text) <= 65536),
    constraint virtual_employees_version_check check (version > 0)
);
create index virtual_employees_newest on web.virtual_employees (created_at desc, id desc);
alter table web.virtual_employees add primary key (id);

create type web.hired_employee_status as enum ('active', 'paused');

create table web.hired_employees (
    org_id uuid not null references web.organizations (id) on delete cascade,
    id uuid not null,
    virtual_employee_id uuid not null,
    name text not null,
    email text,
    status web.hired_employee_status not null default 'active',
    config jsonb not null default '{}',
    shared boolean not null default false,
    agent_id uuid,
    version integer not null default 1,
    config_schema jsonb not null default '{}',
    price_usd_monthly numeric(22, 8) not null default 0,
    created_by uuid,
    etag uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint hired_employees_name_check check (char_length(name) between 1 and 200),
    constraint hired_employees_email_check check (char_length(email) <= 254 and email ~ '^[^@ ]+@[^@ ]+$'),
    constraint hired_employees_config_check check (jsonb_typeof(config) = 'object' and octet_length(config::text) <= 65536),
    constraint hired_employees_version_check check (version between 1 and 2147483647),
    constraint hired_employees_config_schema_check check (jsonb_typeof(config_schema) = 'object' and octet_length(config_schema::text) <= 65536),
    constraint hired_employees_price_usd_monthly_check check (price_usd_monthly >= 0),
    constraint hired_employees_virtual_employee_id_fkey foreign key (virtual_employee_id) references web.virtual_employees (id)
);
create index hired_employees_newest on web.hired_employees (org_id, created_at desc, id desc);
create index hired_employees_by_virtual_employee_id on web.hired_employees (org_id, virtual_employee_id, created_at desc, id desc);
create unique index hired_employees_email_key on web.hired_employees (org_id, lower(email)) where email is not null;
alter table web.hired_employees add primary key (org_id, id);

create type web.connection_kind as enum ('vertical', 'horizontal');

create table web.employee_connections (
    org_id uuid not null references web.organizations (id) on delete cascade,
    id uuid not null,
    from_employee_id uuid not null,
    to_employee_id uuid not null,
    kind web.connection_kind not null default 'vertical',
    description text not null default '',
    created_by uuid,
    etag uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint employee_connections_to_employee_id_key unique (org_id, from_employee_id, to_employee_id),
    constraint employee_connections_description_check check (char_length(description) <= 1000),
    constraint employee_connections_peers_check check (from_employee_id <> to_employee_id),
    constraint employee_connections_from_employee_id_fkey foreign key (org_id, from_employee_id) references web.hired_employees (org_id, id) on delete cascade,
    constraint employee_connections_to_employee_id_fkey foreign key (org_id, to_employee_id) references web.hired_employees (org_id, id) on delete cascade
);
create index employee_connections_newest on web.employee_connections (org_id, created_at desc, id desc);
create index employee_connections_by_from_employee_id on web.employee_connections (org_id, from_employee_id, created_at desc, id desc);
create index employee_connections_by_to_employee_id on web.employee_connections (org_id, to_employee_id, created_at desc, id desc);
alter table web.employee_connections add primary key (org_id, id);
