-- How a research is done, to be used again.

create table web.research_templates (
    org_id uuid not null references web.organizations (id) on delete cascade,
    id uuid not null,
    name text not null,
    description text,
    prompt_template text not null,
    input_schema jsonb not null default '{}',
    items_max integer not null default 50,
    tags text[] not null default '{}',
    created_by uuid,
    etag uuid not null default gen_random_uuid(),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    constraint research_templates_name_key unique (org_id, name),
    constraint research_templates_name_check check (char_length(name) between 1 and 200),
    constraint research_templates_description_check check (char_length(description) <= 4000),
    constraint research_templates_prompt_template_check check (char_length(prompt_template) between 1 and 20000),
    constraint research_templates_input_schema_check check (jsonb_typeof(input_schema) = 'object' and octet_length(input_schema::text) <= 65536),
    constraint research_templates_items_max_check check (items_max between 1 and 1000),
    constraint research_templates_tags_check check (cardinality(tags) <= 50)
);
create index research_templates_newest on web.research_templates (org_id, created_at desc, id desc);
create index research_templates_by_updated_at on web.research_templates (org_id, updated_at desc, id desc);
alter table web.research_templates add primary key (org_id, id);
