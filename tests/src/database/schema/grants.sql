grant usage on schema web, runtime, freehold to web_app, agent_runtime, web_app_platform, agent_runtime_platform;
grant select on all tables in schema web, runtime to web_app, agent_runtime, web_app_platform, agent_runtime_platform;
grant insert, update, delete on all tables in schema web to web_app, web_app_platform;
grant insert, update, delete on all tables in schema runtime to agent_runtime, agent_runtime_platform;
do $$
declare
    it record;
    org text := 'nullif((select current_setting(''app.current_org_id'', true)), '''')::uuid';
begin
    for it in
        select c.oid::regclass as name,
            exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'org_id') as tenant,
            exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'updated_at') as touched
        from pg_class c join pg_namespace n on n.oid = c.relnamespace
        where n.nspname in ('web', 'runtime') and c.relkind = 'r'
    loop
        execute format('alter table %s enable row level security', it.name);
        execute format('alter table %s force row level security', it.name);
        execute format('create policy platform on %s to web_app_platform, agent_runtime_platform using (true) with check (true)', it.name);
        if it.tenant then
            execute format('create policy tenant on %s to web_app, agent_runtime using (org_id = %s) with check (org_id = %s)', it.name, org, org);
        elsif it.name = 'web.organizations'::regclass then
            execute format('create policy tenant on %s to web_app, agent_runtime using (id = %s) with check (id = %s)', it.name, org, org);
        else
            execute format('create policy everybody on %s to web_app, agent_runtime using (true) with check (true)', it.name);
        end if;
        if it.touched then
            execute format('create trigger touch_updated_at before update on %s for each row execute function freehold.touch_updated_at()', it.name);
        end if;
    end loop;
end
$$;
