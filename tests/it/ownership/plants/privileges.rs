//! Privileges that the contract does not give, and those that it gives and that are gone.

use super::{Kind, Plant, are_found, plant, server_version};

pub(super) const PLANTS: &[Plant] = &[
    plant("grant insert on runtime.agents to web_app", Kind::TablePrivilege, "runtime.agents"),
    plant("grant update on web.users to agent_runtime", Kind::TablePrivilege, "web.users"),
    plant(
        "grant delete on runtime.agents to web_app_platform",
        Kind::TablePrivilege,
        "runtime.agents",
    ),
    plant(
        "grant truncate on runtime.execution_queue to web_app",
        Kind::TablePrivilege,
        "runtime.execution_queue",
    ),
    plant("grant references on web.users to agent_runtime", Kind::TablePrivilege, "web.users"),
    plant("grant trigger on web.users to agent_runtime", Kind::TablePrivilege, "web.users"),
    plant("grant insert on runtime.agents to public", Kind::TablePrivilege, "runtime.agents"),
    // Also of its own tables a service may not do everything.
    plant("grant truncate on web.users to web_app", Kind::TablePrivilege, "web.users"),
    plant("grant update on web.activities to web_app", Kind::TablePrivilege, "web.activities"),
    plant(
        "grant delete on runtime.execution_events to agent_runtime_platform",
        Kind::TablePrivilege,
        "runtime.execution_events",
    ),
    plant(
        "grant insert on web.app_platforms to web_app",
        Kind::TablePrivilege,
        "web.app_platforms",
    ),
    plant(
        "grant update on freehold.schema_migrations to web_app",
        Kind::TablePrivilege,
        "freehold.schema_migrations",
    ),
    plant(
        "grant update (slug) on runtime.agents to web_app",
        Kind::ColumnPrivilege,
        "runtime.agents.slug",
    ),
    plant("grant insert (email) on web.users to public", Kind::ColumnPrivilege, "web.users.email"),
    plant(
        "grant references (id) on web.users to agent_runtime",
        Kind::ColumnPrivilege,
        "web.users.id",
    ),
    plant(
        "grant update (action) on web.activities to web_app",
        Kind::ColumnPrivilege,
        "web.activities.action",
    ),
    plant(
        "grant select (key_hash) on web.api_keys to agent_runtime",
        Kind::SecretReadable,
        "web.api_keys.key_hash",
    ),
    plant(
        "grant select on web.api_keys to agent_runtime_platform",
        Kind::SecretReadable,
        "web.api_keys",
    ),
    plant("grant select on web.users to public", Kind::SecretReadable, "web.users"),
    plant(
        "grant select on web.core_actions to web_app with grant option",
        Kind::GrantOption,
        "web.core_actions",
    ),
    plant("revoke insert on web.users from web_app_platform", Kind::PrivilegeMissing, "web.users"),
    plant(
        "revoke select (email) on web.users from agent_runtime",
        Kind::PrivilegeMissing,
        "web.users.email",
    ),
    plant("revoke usage on schema web from agent_runtime", Kind::PrivilegeMissing, "web"),
    plant(
        "create role stranger; grant insert on web.core_actions to stranger",
        Kind::OtherWriter,
        "web.core_actions",
    ),
    plant(
        "create role stranger; grant update (slug) on web.core_actions to stranger",
        Kind::OtherWriter,
        "web.core_actions",
    ),
    plant("create role stranger inherit; grant web_app to stranger", Kind::OtherWriter, "stranger"),
    plant(
        "create role stranger inherit; grant pg_write_all_data to stranger",
        Kind::OtherWriter,
        "stranger",
    ),
    plant(
        "create sequence runtime.numbers; grant usage on sequence runtime.numbers to web_app",
        Kind::SequencePrivilege,
        "runtime.numbers",
    ),
    plant(
        "grant select on runtime.agents to freehold_maintenance",
        Kind::TablePrivilege,
        "runtime.agents",
    ),
    plant(
        "grant delete on runtime.execution_events to freehold_maintenance",
        Kind::TablePrivilege,
        "runtime.execution_events",
    ),
    plant(
        "grant update (slug) on runtime.agents to freehold_maintenance",
        Kind::TablePrivilege,
        "runtime.agents",
    ),
    plant(
        "create role stranger inherit; grant freehold_maintenance to stranger",
        Kind::OtherWriter,
        "stranger",
    ),
    plant(
        "revoke execute on function freehold.make_partitions from freehold_maintenance",
        Kind::PrivilegeMissing,
        "freehold.make_partitions(interval,integer,boolean)",
    ),
    plant("grant create on schema runtime to freehold_maintenance", Kind::SchemaCreate, "runtime"),
    plant("grant create on schema runtime to web_app", Kind::SchemaCreate, "runtime"),
    plant("grant create on schema public to public", Kind::SchemaCreate, "public"),
    plant("grant create on database {database} to web_app", Kind::DatabaseCreate, "{database}"),
    plant(
        "alter default privileges for role freehold_owner in schema runtime grant insert on tables to web_app",
        Kind::DefaultPrivilege,
        "tables of freehold_owner in schema runtime",
    ),
    plant(
        "create role stranger; alter default privileges for role stranger grant select on tables to public",
        Kind::DefaultPrivilege,
        "tables of stranger",
    ),
    plant(
        "alter default privileges for role freehold_owner grant execute on functions to public",
        Kind::DefaultPrivilege,
        "functions of freehold_owner",
    ),
];

#[tokio::test]
async fn privileges_that_the_contract_does_not_give_are_found() {
    are_found(PLANTS).await;
}

#[tokio::test]
async fn maintain_is_a_privilege_where_the_server_knows_it() {
    if server_version().await < 170_000 {
        return;
    }
    let sql = "grant maintain on runtime.agents to web_app";
    are_found(&[plant(sql, Kind::TablePrivilege, "runtime.agents")]).await;
}
