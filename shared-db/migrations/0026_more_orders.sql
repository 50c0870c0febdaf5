-- squawk-ignore-file require-concurrent-index-creation, adding-foreign-key-constraint, constraint-missing-not-valid, adding-serial-primary-key-field
-- Lists by what people call a thing, by place, and by the time of the last change. `shared-db migrate` runs a migration in one transaction, where no
-- index can be made concurrently.

create index notes_by_title on web.notes (org_id, title, id);
create index notes_by_folder_id_title on web.notes (org_id, folder_id, title, id);
create index sheets_by_name on web.sheets (org_id, name, id);
create index files_by_name on web.files (org_id, name, id);
create index files_by_folder_name on web.files (org_id, folder_id, name, id);
create index files_by_updated_at on web.files (org_id, updated_at desc, id desc);
create index files_by_folder_latest on web.files (org_id, folder_id, updated_at desc, id desc);
create index workspace_items_by_section on web.workspace_items (org_id, section, position, id);
create index subscription_tiers_by_position on web.subscription_tiers (position, id);

-- The primary keys of these tables are made last again, for the reason that migration 0011 gives, and in its words.
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
