//! Foreign keys that write the other side's tables, or look into another tenant's rows.

use super::{Kind, Plant, are_found, plant};

pub(super) const PLANTS: &[Plant] = &[
    plant(
        "alter table runtime.agents drop constraint agents_org_id_fkey, add constraint agents_org_id_fkey
         foreign key (org_id) references web.organizations (id) on delete cascade",
        Kind::CrossOwnerAction,
        "agents_org_id_fkey on runtime.agents",
    ),
    plant(
        "alter table runtime.agents drop constraint agents_org_id_fkey, add constraint agents_org_id_fkey
         foreign key (org_id) references web.organizations (id) on delete set null",
        Kind::CrossOwnerAction,
        "agents_org_id_fkey on runtime.agents",
    ),
    plant(
        "alter table runtime.agents drop constraint agents_org_id_fkey, add constraint agents_org_id_fkey
         foreign key (org_id) references web.organizations (id) on delete set default",
        Kind::CrossOwnerAction,
        "agents_org_id_fkey on runtime.agents",
    ),
    plant(
        "alter table runtime.agents drop constraint agents_org_id_fkey, add constraint agents_org_id_fkey
         foreign key (org_id) references web.organizations (id) on update cascade",
        Kind::CrossOwnerAction,
        "agents_org_id_fkey on runtime.agents",
    ),
    plant(
        "alter table web.core_actions add column agent_id uuid, add constraint core_actions_agent_fkey
         foreign key (org_id, agent_id) references runtime.agents (org_id, id) on delete cascade",
        Kind::CrossOwnerAction,
        "core_actions_agent_fkey on web.core_actions",
    ),
    plant(
        "alter table runtime.agents add constraint agents_id_key unique (id);
         alter table runtime.agent_versions drop constraint agent_versions_agent_id_fkey,
         add constraint agent_versions_agent_id_fkey
         foreign key (agent_id) references runtime.agents (id) on delete cascade",
        Kind::TenantKey,
        "agent_versions_agent_id_fkey on runtime.agent_versions",
    ),
    // agent_org_id of agent_organizations may name another organization; that of agent_executions may not.
    plant(
        "alter table runtime.agent_executions add constraint agent_executions_agent_fkey
         foreign key (agent_org_id, agent_id) references runtime.agents (org_id, id)",
        Kind::TenantKey,
        "agent_executions_agent_fkey on runtime.agent_executions",
    ),
    plant(
        "alter table runtime.agent_executions add constraint agent_executions_owner_fkey
         foreign key (agent_org_id) references web.organizations (id)",
        Kind::TenantKey,
        "agent_executions_owner_fkey on runtime.agent_executions",
    ),
];

#[tokio::test]
async fn foreign_keys_that_act_across_owners_or_tenants_are_found() {
    are_found(PLANTS).await;
}
