-- Erasing an organization or a person: what was asked for, how far it has come, and the functions that do it.
--
-- Each service erases what it writes. What it may delete it deletes by itself, with the rights of its platform role; append-only
-- tables nobody may, so that four functions act as their owner, two for each service. They erase what a purge under way is about
-- and nothing else, and row-level security shows the owner no other tables than those.

create type web.purge_subject as enum ('organization', 'user');
create type web.purge_state as enum (
    -- What was accepted before is brought to its end.
    'stopping',
    'erasing',
    'finished'
);

create table web.purges (
    id uuid not null,
    subject web.purge_subject not null,
    -- Not a foreign key: the row outlives what it is about.
    subject_id uuid not null,
    state web.purge_state not null default 'stopping',
    -- Rows of web by table: {"web.activities": {"erased": 12, "replaced": 3}}.
    counts jsonb not null default '{}',
    -- How far each column has been gone through: the last key, or null at the end.
    progress jsonb not null default '{}',
    -- The user that asked, if a user did.
    requested_by uuid,
    -- Whatever was accepted before the request has ended by then.
    erase_after timestamptz not null,
    -- No other replica works on it before.
    work_after timestamptz not null default now(),
    failures integer not null default 0,
    -- Why it does not go on, if it does not.
    error text,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    finished_at timestamptz,
    constraint purges_counts_check check (jsonb_typeof(counts) = 'object'),
    constraint purges_progress_check check (jsonb_typeof(progress) = 'object'),
    constraint purges_failures_check check (failures >= 0),
    constraint purges_error_check check (char_length(error) <= 1000),
    constraint purges_end_check check ((state = 'finished') = (finished_at is not null))
);
create unique index purges_subject_key on web.purges (subject_id) where finished_at is null;
create index purges_newest on web.purges (created_at desc, id desc);
create index purges_due on web.purges (work_after) where finished_at is null;
alter table web.purges add constraint purges_pkey primary key (id);

-- The runtime's part of a purge, under the id of the row in web.purges.
create table runtime.purge_receipts (
    id uuid not null,
    counts jsonb not null default '{}',
    progress jsonb not null default '{}',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint purge_receipts_counts_check check (jsonb_typeof(counts) = 'object'),
    constraint purge_receipts_progress_check check (jsonb_typeof(progress) = 'object'),
    constraint purge_receipts_pkey primary key (id)
);

-- The columns of a table's primary key, in their order.
create function freehold.primary_key(target regclass) returns table (name text, type text, place bigint)
language sql stable strict
set search_path = pg_catalog
as $$
    select format('%I', a.attname), format_type(a.atttypid, a.atttypmod), k.place
    from pg_index i
    cross join unnest(i.indkey::smallint[]) with ordinality as k (number, place)
    join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number
    where i.indrelid = target and i.indisprimary
    order by k.place
$$;

-- Deletes rows that fulfil `condition`, in which $1 is the subject, at most so many; those with the highest keys first, which
-- were made last. Acts with the rights of whoever calls.
create function freehold.erase_rows(target regclass, condition text, subject uuid, at_most integer) returns bigint
language plpgsql strict
set search_path = pg_catalog
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
declare
    key constant text := (select string_agg(name, ', ' order by place) from freehold.primary_key(target));
    last_first constant text := (select string_agg(name || ' desc', ', ' order by place) from freehold.primary_key(target));
    erased bigint;
begin
    execute format(
        'delete from %1$s where (%2$s) in (select %2$s from %1$s where %3$s order by %4$s limit $2)',
        target, key, condition, last_first
    ) using subject, at_most;
    get diagnostics erased = row_count;
    return erased;
end
$$;

-- Whether there is a row that fulfils `condition`. Acts with the rights of whoever calls.
create function freehold.has_rows(target regclass, condition text, subject uuid) returns boolean
language plpgsql stable strict
set search_path = pg_catalog
set enable_seqscan = off
as $$
declare
    has boolean;
begin
    execute format('select exists (select from %s where %s)', target, condition) into has using subject;
    return has;
end
$$;

-- Goes through the next rows of a table in the order of their keys, and takes the subject's id out of one column: null where that is
-- allowed, else the nil UUID. `next` is the key to go on after; null at the end. Acts with the rights of whoever calls.
create function freehold.replace_ids(
    target regclass, at_column text, subject uuid, after text[], at_most integer, out replaced bigint, out next text[]
)
language plpgsql
set search_path = pg_catalog
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
declare
    nobody constant text := '00000000-0000-0000-0000-000000000000';
    of_column constant text := format('t.%I', at_column);
    keys constant text := (select string_agg(name, ', ' order by place) from freehold.primary_key(target));
    last_first constant text := (select string_agg(name || ' desc', ', ' order by place) from freehold.primary_key(target));
    texts constant text := (select string_agg(name || '::text', ', ' order by place) from freehold.primary_key(target));
    same constant text := (select string_agg(format('t.%1$s = page.%1$s', name), ' and ' order by place) from freehold.primary_key(target));
    bound constant text := (select string_agg(format('$3[%s]::%s', place, type), ', ' order by place) from freehold.primary_key(target));
    holds text;
    nullable boolean;
    has_it text;
    without_it text;
    seen bigint;
begin
    select format_type(a.atttypid, null), not a.attnotnull into holds, nullable
    from pg_attribute a
    where a.attrelid = target and a.attname = at_column and a.attnum > 0 and not a.attisdropped;
    case holds
        when 'uuid' then
            has_it := format('%s = $1', of_column);
            without_it := case when nullable then 'null' else quote_literal(nobody) end;
        when 'uuid[]' then
            -- Who is left alone in a list must not leave it empty: that may mean everybody.
            has_it := format('$1 = any (%s)', of_column);
            without_it := format('array_replace(%s, $1, %L::uuid)', of_column, nobody);
        when 'jsonb', 'text' then
            has_it := format('position($1::text in %s::text) > 0', of_column);
            without_it := format('replace(%s::text, $1::text, %L)::%s', of_column, nobody, holds);
        when 'bytea' then
            has_it := format('position(convert_to($1::text, ''UTF8'') in %s) > 0', of_column);
            without_it := format('decode(replace(encode(%s, ''escape''), $1::text, %L), ''escape'')', of_column, nobody);
        else
            raise exception '% has no column % that can hold an id', target, at_column using errcode = 'undefined_column';
    end case;
    execute format(
        'with page as (
            select %2$s from %1$s %3$s order by %2$s limit $2
        ), changed as (
            update %1$s as t set %4$I = %5$s from page where %6$s and %7$s returning 1
        )
        select (select count(*) from changed), (select count(*) from page), (select array[%8$s] from page order by %9$s limit 1)',
        target, keys, case when after is not null then format('where (%s) > (%s)', keys, bound) end, at_column, without_it, same,
        has_it, texts, last_first
    )
    into replaced, seen, next
    using subject, at_most, after;
    if seen < at_most then
        next := null;
    end if;
end
$$;

-- What a purge under way is about, if it is of this kind or of any: nothing is erased that nobody has asked to erase.
create function freehold.being_erased(purge uuid, kind web.purge_subject) returns uuid
language plpgsql stable
set search_path = pg_catalog
as $$
declare
    about uuid;
begin
    select p.subject_id into about
    from web.purges as p
    where p.id = purge and (kind is null or p.subject = kind) and p.state = 'erasing';
    if about is null then
        raise exception 'no purge % of this kind is under way', purge using errcode = 'object_not_in_prerequisite_state';
    end if;
    return about;
end
$$;

create function freehold.table_of(writer text, path text) returns regclass
language plpgsql stable
set search_path = pg_catalog
as $$
declare
    target regclass;
begin
    select c.oid::regclass into target
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where c.oid = to_regclass(path) and n.nspname = writer and c.relkind in ('r', 'p') and not c.relispartition;
    if target is null then
        raise exception '% is no table of %', path, writer using errcode = 'undefined_table';
    end if;
    return target;
end
$$;

-- The holes in append-only: rows of an organization that is purged, and the id of whom or what is, in what others keep. Each service's platform role may
-- execute its own two.
create function freehold.purge_web_rows(path text, purge uuid, at_most integer) returns bigint
language sql security definer
set search_path = pg_catalog
as $$
    select freehold.erase_rows(freehold.table_of('web', path), 'org_id = $1', freehold.being_erased(purge, 'organization'), at_most)
$$;

create function freehold.purge_web_ids(
    path text, at_column text, purge uuid, after text[], at_most integer, out replaced bigint, out next text[]
)
language sql security definer
set search_path = pg_catalog
as $$
    select * from freehold.replace_ids(freehold.table_of('web', path), at_column, freehold.being_erased(purge, null), after, at_most)
$$;

create function freehold.purge_runtime_rows(path text, purge uuid, at_most integer) returns bigint
language sql security definer
set search_path = pg_catalog
as $$
    select freehold.erase_rows(freehold.table_of('runtime', path), 'org_id = $1', freehold.being_erased(purge, 'organization'), at_most)
$$;

create function freehold.purge_runtime_ids(
    path text, at_column text, purge uuid, after text[], at_most integer, out replaced bigint, out next text[]
)
language sql security definer
set search_path = pg_catalog
as $$
    select * from freehold.replace_ids(freehold.table_of('runtime', path), at_column, freehold.being_erased(purge, null), after, at_most)
$$;
