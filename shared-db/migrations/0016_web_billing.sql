-- What is sold and at which price. Definitions only: no money moves here.

create table web.subscription_tiers (
    id uuid not null,
    slug text not null,
    name text not null,
    monthly_credits numeric(22, 8),
    concurrent_runs_max integer,
    price_usd_monthly numeric(22, 8),
    features jsonb not null default '{}',
    position integer not null default 0,
    listed boolean not null default false,
    etag uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint subscription_tiers_slug_key unique (slug),
    constraint subscription_tiers_slug_check check (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    constraint subscription_tiers_name_check check (char_length(name) between 1 and 200),
    constraint subscription_tiers_monthly_credits_check check (monthly_credits >= 0),
    constraint subscription_tiers_concurrent_runs_max_check check (concurrent_runs_max between 1 and 100000),
    constraint subscription_tiers_price_usd_monthly_check check (price_usd_monthly >= 0),
    constraint subscription_tiers_features_check check (jsonb_typeof(features) = 'object' and octet_length(features::text) <= 65536),
    constraint subscription_tiers_position_check check (position between 0 and 1000)
);
create index subscription_tiers_newest on web.subscription_tiers (created_at desc, id desc);
alter table web.subscription_tiers add primary key (id);

create type web.subscription_status as enum ('active', 'past_due', 'ended');

create table web.subscriptions (
    org_id uuid not null references web.organizations (id) on delete cascade,
    id uuid not null,
    tier_id uuid not null,
    status web.subscription_status not null default 'active',
    period_start_at timestamptz not null,
    period_end_at timestamptz not null,
    cancel_at_period_end boolean not null default false,
    created_by uuid,
    etag uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint subscriptions_period_end_at_check check (period_start_at < period_end_at),
    constraint subscriptions_tier_id_fkey foreign key (tier_id) references web.subscription_tiers (id)
);
create index subscriptions_newest on web.subscriptions (org_id, created_at desc, id desc);
create index subscriptions_by_tier_id on web.subscriptions (org_id, tier_id, created_at desc, id desc);
create unique index subscriptions_status_key on web.subscriptions (org_id) where status <> 'ended';
alter table web.subscriptions add primary key (org_id, id);

create table web.credit_prices (
    id uuid not null,
    operation text not null,
    unit text not null,
    credits numeric(22, 8) not null default 0,
    version integer not null default 1,
    effective_at timestamptz not null,
    created_at timestamptz not null default now(),
    constraint credit_prices_version_key unique (operation, version),
    constraint credit_prices_operation_check check (char_length(operation) between 1 and 100 and operation ~ '^[a-z0-9]+([._-][a-z0-9]+)*$'),
    constraint credit_prices_unit_check check (char_length(unit) between 1 and 50),
    constraint credit_prices_credits_check check (credits >= 0),
    constraint credit_prices_version_check check (version between 1 and 2147483647)
);
create index credit_prices_newest on web.credit_prices (created_at desc, id desc);
alter table web.credit_prices add primary key (id);

create table web.licenses (
    org_id uuid not null references web.organizations (id) on delete cascade,
    id uuid not null,
    name text not null,
    reference text not null default '',
    seats_max integer not null default 0,
    valid_from timestamptz not null,
    valid_until timestamptz,
    etag uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint licenses_name_check check (char_length(name) between 1 and 200),
    constraint licenses_reference_check check (char_length(reference) <= 200),
    constraint licenses_seats_max_check check (seats_max between 0 and 1000000),
    constraint licenses_valid_until_check check (valid_from < valid_until)
);
create index licenses_newest on web.licenses (org_id, created_at desc, id desc);
alter table web.licenses add primary key (org_id, id);

create table web.license_sections (
    org_id uuid not null references web.organizations (id) on delete cascade,
    id uuid not null,
    license_id uuid not null,
    section text not null,
    enabled boolean not null default false,
    limits jsonb not null default '{}',
    etag uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint license_sections_section_key unique (org_id, license_id, section),
    constraint license_sections_section_check check (char_length(section) between 1 and 100 and section ~ '^[a-z0-9]+([._-][a-z0-9]+)*$'),
    constraint license_sections_limits_check check (jsonb_typeof(limits) = 'object' and octet_length(limits::text) <= 65536),
    constraint license_sections_license_id_fkey foreign key (org_id, license_id) references web.licenses (org_id, id) on delete cascade
);
create index license_sections_newest on web.license_sections (org_id, created_at desc, id desc);
create index license_sections_by_license_id on web.license_sections (org_id, license_id, created_at desc, id desc);
alter table web.license_sections add primary key (org_id, id);
