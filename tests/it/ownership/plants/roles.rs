//! Roles that are more than they have to be.

use super::{Kind, Plant, are_found, lasting, plant, server_version};

pub(super) const PLANTS: &[Plant] = &[
    lasting(
        "alter role web_app_platform rename to somebody",
        Kind::RoleMissing,
        "web_app_platform",
    ),
    plant("alter role web_app superuser", Kind::RoleAttribute, "web_app"),
    plant("alter role agent_runtime bypassrls", Kind::RoleAttribute, "agent_runtime"),
    plant("alter role web_app_platform createrole", Kind::RoleAttribute, "web_app_platform"),
    plant("alter role web_app createdb", Kind::RoleAttribute, "web_app"),
    plant("alter role web_app replication", Kind::RoleAttribute, "web_app"),
    plant("alter role web_app inherit", Kind::RoleAttribute, "web_app"),
    plant("alter role agent_runtime_platform login", Kind::RoleAttribute, "agent_runtime_platform"),
    plant("alter role freehold_maintenance superuser", Kind::RoleAttribute, "freehold_maintenance"),
    plant("alter role freehold_maintenance inherit", Kind::RoleAttribute, "freehold_maintenance"),
    plant("grant freehold_owner to freehold_maintenance", Kind::Membership, "freehold_maintenance"),
    plant(
        "grant agent_runtime_platform to freehold_maintenance",
        Kind::Membership,
        "freehold_maintenance",
    ),
    plant("grant freehold_maintenance to web_app", Kind::Membership, "web_app"),
    plant("alter role freehold_owner superuser", Kind::RoleAttribute, "freehold_owner"),
    plant("grant agent_runtime to web_app", Kind::Membership, "web_app"),
    plant("grant agent_runtime_platform to web_app", Kind::Membership, "web_app"),
    plant("grant web_app to agent_runtime", Kind::Membership, "agent_runtime"),
    plant("grant freehold_owner to web_app", Kind::Membership, "web_app"),
    plant("grant pg_write_all_data to agent_runtime", Kind::Membership, "agent_runtime"),
    plant("grant pg_read_all_data to agent_runtime", Kind::Membership, "agent_runtime"),
    plant("grant pg_execute_server_program to web_app", Kind::Membership, "web_app"),
    // Through a role in between, and with inheritance switched on.
    plant(
        "create role between inherit; grant agent_runtime to between; grant between to web_app; alter role web_app inherit",
        Kind::Membership,
        "web_app",
    ),
    plant("grant web_app_platform to web_app with admin option", Kind::Membership, "web_app"),
    plant("revoke web_app_platform from web_app", Kind::Membership, "web_app"),
    plant(
        "alter role web_app set app.current_org_id = '00000000-0000-0000-0000-000000000000'",
        Kind::RoleSetting,
        "web_app",
    ),
    plant(
        "alter role web_app in database {database} set role = 'web_app_platform'",
        Kind::RoleSetting,
        "web_app",
    ),
    plant(
        "alter database {database} set app.current_org_id = '00000000-0000-0000-0000-000000000000'",
        Kind::RoleSetting,
        "{database}",
    ),
    plant(
        "grant set on parameter session_replication_role to web_app",
        Kind::ParameterPrivilege,
        "session_replication_role",
    ),
];

#[tokio::test]
async fn roles_that_are_too_much_are_found() {
    are_found(PLANTS).await;
}

/// Since PostgreSQL 16 a membership has its own INHERIT and SET; before, the role's INHERIT decides.
#[tokio::test]
async fn memberships_that_inherit_or_can_t_be_used_are_found_where_the_server_knows_them() {
    if server_version().await < 160_000 {
        return;
    }
    are_found(&[
        plant("grant web_app_platform to web_app with inherit true", Kind::Membership, "web_app"),
        plant("grant web_app_platform to web_app with set false", Kind::Membership, "web_app"),
    ])
    .await;
}
