-- Agents: what can be executed.

create type runtime.agent_type as enum ('context', 'api', 'external');

create table runtime.agents (
    org_id uuid not null references web.organizations (id),
    id uuid not null,
    slug text not null,
    name text not null,
    description text not null default '',
    version text not null default '1.0.0',
    agent_type runtime.agent_type not null,
    department text not null default '',
    tags text[] not null default '{}',
    -- {"input": JSON Schema, "output": JSON Schema}
    io_schema jsonb not null default '{}',
    capabilities text[] not null default '{}',
    context text not null default '',
    -- freehold.types.v1.AgentEndpoint in its JSON form.
    endpoint jsonb,
    -- freehold.types.v1.LlmConfig in its JSON form.
    llm_config jsonb,
    metadata jsonb not null default '{}',
    -- Grows with each change of the definition; agent_versions keeps each.
    revision integer not null default 1,
    etag uuid not null default gen_random_uuid(),
    -- Executions outlive their agent: it disappears for callers, and its row stays.
    deleted_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (org_id, id),
    constraint agents_slug_check check (slug ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    constraint agents_name_check check (char_length(name) between 1 and 200),
    constraint agents_description_check check (char_length(description) <= 4000),
    constraint agents_version_check check (char_length(version) between 5 and 64),
    constraint agents_department_check check (char_length(department) <= 100),
    constraint agents_tags_check check (cardinality(tags) <= 50),
    constraint agents_io_schema_check check (jsonb_typeof(io_schema) = 'object' and octet_length(io_schema::text) <= 131072),
    constraint agents_capabilities_check check (cardinality(capabilities) <= 100),
    constraint agents_context_check check (char_length(context) <= 100000),
    constraint agents_endpoint_check check (jsonb_typeof(endpoint) = 'object' and octet_length(endpoint::text) <= 262144),
    constraint agents_llm_config_check check (jsonb_typeof(llm_config) = 'object' and octet_length(llm_config::text) <= 65536),
    constraint agents_metadata_check check (jsonb_typeof(metadata) = 'object' and octet_length(metadata::text) <= 65536),
    constraint agents_revision_check check (revision >= 1),
    constraint agents_type_check check (
        case agent_type
            when 'context' then llm_config is not null and endpoint is null
            else endpoint is not null and llm_config is null
        end
    )
);
create unique index agents_slug_key on runtime.agents (org_id, slug) where deleted_at is null;
create index agents_newest on runtime.agents (org_id, created_at desc, id desc) where deleted_at is null;
create index agents_by_tag on runtime.agents using gin (tags);

-- Every definition that an agent ever had. Executions keep the one that they began with.
create table runtime.agent_versions (
    org_id uuid not null,
    agent_id uuid not null,
    revision integer not null,
    -- freehold.types.v1.Agent in its JSON form.
    definition jsonb not null,
    created_by uuid,
    created_at timestamptz not null default now(),
    primary key (org_id, agent_id, revision),
    constraint agent_versions_agent_id_fkey foreign key (org_id, agent_id) references runtime.agents (org_id, id) on delete cascade,
    constraint agent_versions_definition_check check (jsonb_typeof(definition) = 'object' and octet_length(definition::text) <= 1048576)
);

-- Organizations that may use an agent of another. `org_id` is the organization that may use it.
create table runtime.agent_organizations (
    org_id uuid not null references web.organizations (id),
    agent_org_id uuid not null,
    agent_id uuid not null,
    shared_by uuid,
    created_at timestamptz not null default now(),
    primary key (org_id, agent_id),
    constraint agent_organizations_agent_id_fkey foreign key (agent_org_id, agent_id) references runtime.agents (org_id, id) on delete cascade,
    constraint agent_organizations_other_check check (org_id <> agent_org_id)
);
create index agent_organizations_by_agent on runtime.agent_organizations (agent_org_id, agent_id, created_at desc, org_id desc);
