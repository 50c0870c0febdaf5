-- One schema for each owner. Who may do what in them is generated from ownership.toml, never written here.
create schema web;
create schema runtime;

-- Attached by the generator to every table that has `updated_at`.
create function freehold.touch_updated_at() returns trigger
language plpgsql
set search_path = pg_catalog
as $$
begin
    new.updated_at := now();
    return new;
end
$$;
