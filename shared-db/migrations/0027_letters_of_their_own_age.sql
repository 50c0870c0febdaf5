-- A dead letter is there for a person, so it is kept for so long after it was filed: an execution that has waited for months before it failed
-- would take its letter along at once.

-- Removes rows born before `keep` ago that nothing alive needs; of a table with partitions, those in the default one. A letter is as old
-- as itself, and not as its execution.
create or replace function freehold.drop_rows(
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
        when 'runtime.input_requests', 'runtime.execution_signals', 'runtime.execution_keys' then
            null;
        when 'runtime.dead_letters' then
            free := 't.created_at < now() - $3';
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
