-- Retention: partitions are made ahead and dropped whole, and what is kept elsewhere goes in batches.
--
-- An execution's id is a UUID v7, whose first 48 bits are the milliseconds of its birth, so a week of births is a range of ids. Weeks
-- and not days: a statement that changes steps of many executions at once is planned over every partition, and with a retention of
-- 90 days there are sixteen of them instead of a hundred. What is kept 90 days is so dropped after 90 to 97.
--
-- Three functions act as their owner, for freehold_maintenance alone. None touches what a live execution may still need.

-- The smallest id of a moment, and the moment of an id.
create function freehold.first_id(moment timestamptz) returns uuid
language sql stable strict
set search_path = pg_catalog
as $$
    select (lpad(to_hex(floor(extract(epoch from moment) * 1000)::bigint), 12, '0') || repeat('0', 20))::uuid
$$;

create function freehold.time_of_id(id uuid) returns timestamptz
language sql stable strict
set search_path = pg_catalog
as $$
    select to_timestamp(('x' || translate(left(id::text, 13), '-', ''))::bit(48)::bigint / 1000.0)
$$;

-- Tables that are divided by their executions' birth.
create function freehold.partitioned_tables() returns setof regclass
language sql stable
set search_path = pg_catalog
as $$
    select c.oid::regclass
    from pg_class c
    join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'runtime' and c.relkind = 'p' and not c.relispartition
        and pg_get_partkeydef(c.oid) = 'RANGE (execution_id)'
    order by c.relname
$$;

-- The partitions of a table but for its default one, with the first id in each and the first after it.
create function freehold.partitions(root regclass) returns table (part regclass, first_id uuid, end_id uuid)
language sql stable strict
set search_path = pg_catalog
as $$
    select c.oid::regclass, bounds[1]::uuid, bounds[2]::uuid
    from pg_inherits i
    join pg_class c on c.oid = i.inhrelid
    cross join regexp_match(pg_get_expr(c.relpartbound, c.oid), $re$FROM \('([0-9a-f-]+)'\) TO \('([0-9a-f-]+)'\)$re$) as bounds
    where i.inhparent = root and bounds is not null
$$;

create function freehold.default_partition(root regclass) returns regclass
language sql stable strict
set search_path = pg_catalog
as $$
    select partdefid::regclass
    from pg_partitioned_table
    where partrelid = root
$$;

-- Mondays of weeks without a partition: this one, those that begin within `ahead`, and those that the default partition has rows of.
create function freehold.missing_weeks(root regclass, ahead interval) returns setof timestamptz
language plpgsql stable strict
set search_path = pg_catalog
set timezone = 'UTC'
as $$
begin
    return query execute format(
        'select week
        from (
            select generate_series(date_trunc(''week'', now()), now() + $1, interval ''7 days'')
            union
            select date_trunc(''week'', freehold.time_of_id(execution_id))
            from %s
            -- An id that is no time of ours stays where it is.
            where execution_id >= freehold.first_id(now() - interval ''1 year'')
                and execution_id < freehold.first_id(now() + $1)
        ) as weeks (week)
        where not exists (
            select 1
            from freehold.partitions($2) as p
            where p.first_id = freehold.first_id(week)
        )
        order by week',
        freehold.default_partition(root)
    ) using ahead, root;
end
$$;

-- Whoever calls, nothing here waits for a lock for longer than this: the services queue up behind a lock that is waited for.
create function freehold.limit_lock_wait() returns void
language plpgsql
set search_path = pg_catalog
as $$
begin
    if current_setting('lock_timeout') in ('0', '0ms') then
        perform set_config('lock_timeout', '2s', true);
    end if;
end
$$;

-- Makes one partition, and returns how many rows of its week the default one had, which are moved.
create function freehold.make_partition(root regclass, week timestamptz, part text) returns bigint
language plpgsql strict
set search_path = pg_catalog
set timezone = 'UTC'
as $$
declare
    first_id constant uuid := freehold.first_id(week);
    end_id constant uuid := freehold.first_id(week + interval '7 days');
    fallback constant regclass := freehold.default_partition(root);
    occupied boolean;
    moved bigint := 0;
begin
    execute format('select exists (select 1 from %s where execution_id >= $1 and execution_id < $2)', fallback)
    into occupied
    using first_id, end_id;
    -- A week that is still to come is attached beside everybody else: only the default partition is locked, which nobody uses then.
    -- Otherwise all wait at the root, where they have not yet looked for the partition that they need: who waited at the default
    -- one would go on with a row that no longer belongs there.
    if occupied or week <= now() + interval '1 hour' then
        execute format('lock table only %s in access exclusive mode', root);
    end if;
    execute format('create table %s (like %s including all)', part, root);
    execute format(
        'with moved as (
            delete from %s
            where execution_id >= $1 and execution_id < $2
            returning *
        )
        insert into %s
        select *
        from moved',
        fallback, part
    ) using first_id, end_id;
    get diagnostics moved = row_count;
    execute format('alter table %s attach partition %s for values from (%L) to (%L)', root, part, first_id, end_id);
    return moved;
end
$$;

-- Makes what is missing, at most so many at once.
create function freehold.make_partitions(
    ahead interval default '7 days', at_most integer default 1000, dry_run boolean default false
) returns table (part text, moved bigint)
language plpgsql security definer
set search_path = pg_catalog
set timezone = 'UTC'
as $$
declare
    root regclass;
    week timestamptz;
begin
    if ahead is null or ahead < interval '0' or ahead > interval '1 year' then
        raise exception 'ahead is %, and has to be between nothing and a year', ahead using errcode = 'invalid_parameter_value';
    end if;
    perform freehold.limit_lock_wait();
    for root, week in
        select t, w
        from freehold.partitioned_tables() as t
        cross join freehold.missing_weeks(t, ahead) as w
        limit at_most
    loop
        part := root::text || '_' || to_char(week, 'YYYYMMDD');
        moved := 0;
        if not dry_run then
            moved := freehold.make_partition(root, week, part);
        end if;
        return next;
    end loop;
end
$$;

-- A day is the least that is kept, so that whoever holds the login can't empty the history with it.
create function freehold.born_before(keep interval) returns uuid
language plpgsql stable
set search_path = pg_catalog
as $$
begin
    if keep is null or keep < interval '1 day' then
        raise exception 'keep is %, and has to be a day or more', keep using errcode = 'invalid_parameter_value';
    end if;
    return freehold.first_id(now() - keep);
end
$$;

-- Drops the partitions of a table whose executions were all born before `keep` ago, unless one of those lives.
create function freehold.drop_partitions(
    root_table text, keep interval, at_most integer default 1000, dry_run boolean default false
) returns table (part text, dropped boolean, live bigint, example uuid)
language plpgsql security definer
set search_path = pg_catalog
as $$
declare
    cutoff constant uuid := freehold.born_before(keep);
    root regclass;
    it record;
    left_over integer := at_most;
begin
    select t into root from freehold.partitioned_tables() as t where t::text = root_table;
    if root is null then
        raise exception '% is not divided by execution_id', root_table using errcode = 'undefined_table';
    end if;
    perform freehold.limit_lock_wait();
    for it in
        select p.part, p.first_id, p.end_id
        from freehold.partitions(root) as p
        where p.end_id <= cutoff
        order by p.first_id
    loop
        part := it.part::text;
        select count(*), (array_agg(q.execution_id))[1] into live, example
        from runtime.execution_queue as q
        where q.execution_id >= it.first_id and q.execution_id < it.end_id;
        dropped := live = 0 and left_over > 0;
        if dropped then
            left_over := left_over - 1;
            if not dry_run then
                execute format('drop table %s', it.part);
            end if;
        end if;
        -- What is neither dropped nor needed is left to the next call.
        if dropped or live > 0 then
            return next;
        end if;
    end loop;
end
$$;

-- Removes rows born before `keep` ago that nothing alive needs; of a table with partitions, those in the default one.
create function freehold.drop_rows(
    root_table text, keep interval, at_most integer default 5000, dry_run boolean default false
) returns bigint
language plpgsql security definer
set search_path = pg_catalog
as $$
declare
    alone constant text := 'not exists (
        select 1 from runtime.execution_queue q where q.org_id = t.org_id and q.execution_id = t.%1$I
    )';
    -- A live execution may ask for what any other of its tree has left.
    tree constant text := alone || ' and not exists (
        select 1
        from runtime.agent_executions e
        join runtime.execution_queue q on q.org_id = e.org_id and q.execution_id = e.id
        where e.org_id = t.org_id and e.root_execution_id = t.%1$I and e.parent_execution_id is not null
    )';
    cutoff constant uuid := freehold.born_before(keep);
    target text := root_table;
    id text := 'execution_id';
    free text := alone;
    removed bigint;
begin
    case root_table
        when 'runtime.input_requests', 'runtime.execution_signals', 'runtime.execution_keys', 'runtime.dead_letters' then
            null;
        when 'runtime.workflow_data' then
            id := 'root_execution_id';
            free := tree;
        when 'runtime.agent_executions' then
            id := 'id';
            free := 't.finished_at < now() - $3 and ' || replace(tree, 't.%1$I', 't.root_execution_id');
        else
            select freehold.default_partition(t)::text into target
            from freehold.partitioned_tables() as t
            where t::text = root_table;
            if target is null then
                raise exception '% is not removed by age', root_table using errcode = 'undefined_table';
            end if;
            -- It has what was born at a time that no partition has: perhaps by a clock that was wrong.
            free := 't.created_at < now() - $3 and ' || alone;
    end case;
    perform freehold.limit_lock_wait();
    -- From organization to organization along the index, and in each from the oldest.
    execute format(
        'with recursive orgs as (
            (select org_id from %1$s order by org_id limit 1)
            union all
            select (select t.org_id from %1$s t where t.org_id > o.org_id order by t.org_id limit 1)
            from orgs o
            where o.org_id is not null
        ),
        old as (
            select it.place
            from orgs o
            cross join lateral (
                select t.ctid as place
                from %1$s t
                where t.org_id = o.org_id and t.%2$I < $1 and %3$s
                limit $2
            ) as it
            where o.org_id is not null
            limit $2
        )',
        target, id, format(free, id)
    ) || case
        when dry_run then 'select count(*) from old'
        else format(', gone as (delete from %s where ctid = any (array(select place from old)) returning 1) select count(*) from gone', target)
    end
    into removed
    using cutoff, at_most, keep;
    return removed;
end
$$;
