do $$
declare
    name text;
begin
    foreach name in array array['freehold_owner', 'web_app', 'agent_runtime', 'web_app_platform', 'agent_runtime_platform'] loop
        if not exists (select from pg_roles where rolname = name) then
            execute format('create role %I noinherit', name);
        end if;
    end loop;
    execute format('grant create on database %I to freehold_owner', current_database());
end
$$;
grant web_app_platform to web_app;
grant agent_runtime_platform to agent_runtime;
