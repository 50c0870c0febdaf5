-- squawk-ignore-file adding-foreign-key-constraint, constraint-missing-not-valid, adding-serial-primary-key-field
-- A row is looked up by its primary key. Lists have indexes that hold the same columns and more, and while a table has no statistics
-- PostgreSQL takes both for equally good and prefers the index that was made last. A statement that is planned then reads all of an
-- organization's entries to find one row, and goes on so until the next analyze. So the primary key is made last.
do $$
declare
    it record;
    tie record;
    ties text[];
begin
    for it in
        select p.conrelid::regclass as of_table, p.conname, pg_get_constraintdef(p.oid) as definition, p.conindid
        from pg_constraint as p
        join pg_class as c on c.oid = p.conrelid
        join pg_index as k on k.indexrelid = p.conindid
        where p.contype = 'p'
          and c.relkind = 'r'
          and not c.relispartition
          and c.relnamespace in (to_regnamespace('web'), to_regnamespace('runtime'))
          and exists (
            select from pg_index as o
            where o.indrelid = p.conrelid
              and o.indexrelid > p.conindid
              and o.indkey::smallint[] @> k.indkey::smallint[]
          )
        order by c.oid
    loop
        ties := '{}';
        for tie in
            select f.conrelid::regclass as of_table, f.conname, pg_get_constraintdef(f.oid) as definition
            from pg_constraint as f
            where f.contype = 'f' and f.conindid = it.conindid and f.conparentid = 0
            order by f.oid
        loop
            ties := ties || format('alter table %s add constraint %I %s', tie.of_table, tie.conname, tie.definition);
            execute format('alter table %s drop constraint %I', tie.of_table, tie.conname);
        end loop;
        execute format('alter table %s drop constraint %I', it.of_table, it.conname);
        execute format('alter table %s add constraint %I %s', it.of_table, it.conname, it.definition);
        for i in 1 .. cardinality(ties) loop
            execute ties[i];
        end loop;
    end loop;
end
$$;
