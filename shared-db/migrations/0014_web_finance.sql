-- What a user owns elsewhere: accounts, investments, wallets. Rows are seen by their user alone. Amounts are exact decimals.

create type web.bank_account_kind as enum ('checking', 'savings', 'credit', 'loan', 'other');

create table web.bank_accounts (
    org_id uuid not null references web.organizations (id) on delete cascade,
    user_id uuid not null,
    id uuid not null,
    name text not null,
    institution text not null default '',
    kind web.bank_account_kind not null default 'checking',
    currency text not null,
    last_digits text not null default '',
    balance numeric(22, 8) not null default 0,
    etag uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    -- What belongs to a row belongs to its user.
    constraint bank_accounts_id_key unique (org_id, user_id, id),
    constraint bank_accounts_name_check check (char_length(name) between 1 and 200),
    constraint bank_accounts_institution_check check (char_length(institution) <= 200),
    constraint bank_accounts_currency_check check (char_length(currency) between 1 and 3 and currency ~ '^[A-Z]{3}$'),
    constraint bank_accounts_last_digits_check check (char_length(last_digits) <= 4 and (last_digits = '' or last_digits ~ '^[0-9]{1,4}$')),
    constraint bank_accounts_user_id_fkey foreign key (org_id, user_id) references web.organization_members (org_id, user_id) on delete cascade
);
create index bank_accounts_newest on web.bank_accounts (org_id, user_id, created_at desc, id desc);
alter table web.bank_accounts add primary key (org_id, id);

create table web.transactions (
    org_id uuid not null references web.organizations (id) on delete cascade,
    user_id uuid not null,
    id uuid not null,
    bank_account_id uuid not null,
    amount numeric(22, 8) not null default 0,
    currency text not null,
    description text not null default '',
    category text not null default '',
    pending boolean not null default false,
    posted_at timestamptz not null,
    search tsvector not null generated always as (to_tsvector('simple', description || ' ' || category)) stored,
    etag uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint transactions_currency_check check (char_length(currency) between 1 and 3 and currency ~ '^[A-Z]{3}$'),
    constraint transactions_description_check check (char_length(description) <= 1000),
    constraint transactions_category_check check (char_length(category) <= 100),
    constraint transactions_user_id_fkey foreign key (org_id, user_id) references web.organization_members (org_id, user_id) on delete cascade,
    constraint transactions_bank_account_id_fkey foreign key (org_id, user_id, bank_account_id) references web.bank_accounts (org_id, user_id, id) on delete cascade
);
create index transactions_newest on web.transactions (org_id, user_id, created_at desc, id desc);
create index transactions_by_posted_at on web.transactions (org_id, user_id, posted_at desc, id desc);
create index transactions_by_bank_account_id on web.transactions (org_id, user_id, bank_account_id, created_at desc, id desc);
alter table web.transactions add primary key (org_id, id);

create type web.brokerage_status as enum ('active', 'failing', 'disconnected');

create table web.brokerage_connections (
    org_id uuid not null references web.organizations (id) on delete cascade,
    user_id uuid not null,
    id uuid not null,
    institution text not null,
    name text not null,
    status web.brokerage_status not null default 'active',
    synced_at timestamptz,
    etag uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    -- What belongs to a row belongs to its user.
    constraint brokerage_connections_id_key unique (org_id, user_id, id),
    constraint brokerage_connections_institution_check check (char_length(institution) between 1 and 200),
    constraint brokerage_connections_name_check check (char_length(name) between 1 and 200),
    constraint brokerage_connections_user_id_fkey foreign key (org_id, user_id) references web.organization_members (org_id, user_id) on delete cascade
);
create index brokerage_connections_newest on web.brokerage_connections (org_id, user_id, created_at desc, id desc);
alter table web.brokerage_connections add primary key (org_id, id);

create table web.portfolios (
    org_id uuid not null references web.organizations (id) on delete cascade,
    user_id uuid not null,
    id uuid not null,
    name text not null,
    currency text not null,
    brokerage_connection_id uuid,
    etag uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    -- What belongs to a row belongs to its user.
    constraint portfolios_id_key unique (org_id, user_id, id),
    constraint portfolios_name_check check (char_length(name) between 1 and 200),
    constraint portfolios_currency_check check (char_length(currency) between 1 and 3 and currency ~ '^[A-Z]{3}$'),
    constraint portfolios_user_id_fkey foreign key (org_id, user_id) references web.organization_members (org_id, user_id) on delete cascade,
    constraint portfolios_brokerage_connection_id_fkey foreign key (org_id, user_id, brokerage_connection_id) references web.brokerage_connections (org_id, user_id, id) on delete set null (brokerage_connection_id)
);
create index portfolios_newest on web.portfolios (org_id, user_id, created_at desc, id desc);
create index portfolios_by_brokerage_connection_id on web.portfolios (org_id, user_id, brokerage_connection_id, created_at desc, id desc);
alter table web.portfolios add primary key (org_id, id);

create table web.holdings (
    org_id uuid not null references web.organizations (id) on delete cascade,
    user_id uuid not null,
    id uuid not null,
    portfolio_id uuid not null,
    symbol text not null,
    quantity numeric(22, 8) not null default 0,
    average_cost numeric(22, 8) not null default 0,
    currency text not null,
    etag uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint holdings_symbol_key unique (org_id, user_id, portfolio_id, symbol),
    constraint holdings_symbol_check check (char_length(symbol) between 1 and 32 and symbol ~ '^[A-Z0-9][A-Z0-9.:_-]*$'),
    constraint holdings_quantity_check check (quantity >= 0),
    constraint holdings_average_cost_check check (average_cost >= 0),
    constraint holdings_currency_check check (char_length(currency) between 1 and 3 and currency ~ '^[A-Z]{3}$'),
    constraint holdings_user_id_fkey foreign key (org_id, user_id) references web.organization_members (org_id, user_id) on delete cascade,
    constraint holdings_portfolio_id_fkey foreign key (org_id, user_id, portfolio_id) references web.portfolios (org_id, user_id, id) on delete cascade
);
create index holdings_newest on web.holdings (org_id, user_id, created_at desc, id desc);
create index holdings_by_portfolio_id on web.holdings (org_id, user_id, portfolio_id, created_at desc, id desc);
alter table web.holdings add primary key (org_id, id);

create type web.position_side as enum ('long', 'short');

create table web.positions (
    org_id uuid not null references web.organizations (id) on delete cascade,
    user_id uuid not null,
    id uuid not null,
    portfolio_id uuid not null,
    symbol text not null,
    side web.position_side not null default 'long',
    quantity numeric(22, 8) not null default 0,
    entry_price numeric(22, 8) not null default 0,
    exit_price numeric(22, 8),
    currency text not null,
    opened_at timestamptz not null,
    closed_at timestamptz,
    etag uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint positions_symbol_check check (char_length(symbol) between 1 and 32 and symbol ~ '^[A-Z0-9][A-Z0-9.:_-]*$'),
    constraint positions_entry_price_check check (entry_price >= 0),
    constraint positions_exit_price_check check (exit_price >= 0),
    constraint positions_currency_check check (char_length(currency) between 1 and 3 and currency ~ '^[A-Z]{3}$'),
    constraint positions_closed_at_check check (opened_at <= closed_at),
    constraint positions_closed_at_exit_price_check check ((exit_price is null) = (closed_at is null)),
    constraint positions_quantity_check check (quantity > 0),
    constraint positions_user_id_fkey foreign key (org_id, user_id) references web.organization_members (org_id, user_id) on delete cascade,
    constraint positions_portfolio_id_fkey foreign key (org_id, user_id, portfolio_id) references web.portfolios (org_id, user_id, id) on delete cascade
);
create index positions_newest on web.positions (org_id, user_id, created_at desc, id desc);
create index positions_by_opened_at on web.positions (org_id, user_id, opened_at desc, id desc);
create index positions_by_portfolio_id on web.positions (org_id, user_id, portfolio_id, created_at desc, id desc);
alter table web.positions add primary key (org_id, id);

create type web.wallet_chain as enum ('ethereum', 'polygon', 'base', 'solana', 'bitcoin');

create table web.web3_wallet_connections (
    org_id uuid not null references web.organizations (id) on delete cascade,
    user_id uuid not null,
    id uuid not null,
    chain web.wallet_chain not null default 'ethereum',
    address text not null,
    label text not null default '',
    etag uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint web3_wallet_connections_address_key unique (org_id, user_id, chain, address),
    constraint web3_wallet_connections_address_check check (char_length(address) between 1 and 100),
    constraint web3_wallet_connections_label_check check (char_length(label) <= 200),
    constraint web3_wallet_connections_user_id_fkey foreign key (org_id, user_id) references web.organization_members (org_id, user_id) on delete cascade
);
create index web3_wallet_connections_newest on web.web3_wallet_connections (org_id, user_id, created_at desc, id desc);
alter table web.web3_wallet_connections add primary key (org_id, id);
