//! Tables that nobody declared, that are gone, that belong to somebody else, or that lack what their scope needs.

use super::{Kind, Plant, are_found, plant, run};
use freehold_tests::database::TestDatabase;
use shared_db::{contract::Contract, verify};
use sqlx::{Connection, PgConnection};

pub(super) const PLANTS: &[Plant] = &[
    plant(
        "alter table web.core_actions add column reviewed_by uuid",
        Kind::UndeclaredId,
        "web.core_actions.reviewed_by",
    ),
    plant(
        "alter table runtime.execution_signals add column cc_user_ids uuid[]",
        Kind::UndeclaredId,
        "runtime.execution_signals.cc_user_ids",
    ),
    plant(
        "alter table web.app_platforms add column publisher_org_id uuid",
        Kind::UndeclaredId,
        "web.app_platforms.publisher_org_id",
    ),
    plant("create table web.strays (id uuid)", Kind::TableExtra, "web.strays"),
    plant("create table public.notes (id uuid)", Kind::TableExtra, "public.notes"),
    plant("create table freehold.notes (id uuid)", Kind::TableExtra, "freehold.notes"),
    plant("drop table runtime.dead_letters", Kind::TableMissing, "runtime.dead_letters"),
    plant(
        "alter table web.core_actions drop constraint core_actions_pkey, alter column org_id drop not null",
        Kind::OrgId,
        "web.core_actions",
    ),
    plant("alter table web.request_ids drop column org_id cascade", Kind::OrgId, "web.request_ids"),
    plant("create table web.more () inherits (web.core_actions)", Kind::Partition, "web.more"),
    plant("alter table runtime.agents owner to web_app", Kind::Ownership, "table runtime.agents"),
    plant(
        "alter table web.users owner to agent_runtime_platform",
        Kind::Ownership,
        "table web.users",
    ),
    plant("alter schema runtime owner to web_app", Kind::Ownership, "schema runtime"),
    plant(
        "alter function freehold.touch_updated_at() owner to web_app",
        Kind::Ownership,
        "routine freehold.touch_updated_at()",
    ),
    plant(
        "alter type web.member_role owner to agent_runtime",
        Kind::Ownership,
        "type web.member_role",
    ),
    plant(
        "create sequence runtime.numbers; alter sequence runtime.numbers owner to web_app",
        Kind::Ownership,
        "sequence runtime.numbers",
    ),
    plant(
        "alter table freehold.schema_migrations owner to web_app",
        Kind::Ownership,
        "table freehold.schema_migrations",
    ),
    plant("alter database {database} owner to web_app", Kind::Ownership, "database {database}"),
    plant(
        "create function public.mine() returns integer language sql as 'select 1'; alter function public.mine() owner to web_app",
        Kind::Ownership,
        "routine public.mine()",
    ),
];

#[tokio::test]
async fn tables_that_are_not_those_of_the_contract_are_found() {
    are_found(PLANTS).await;
}

/// The contract of this issue has no partitioned table, so this one is given one.
#[tokio::test]
async fn a_partition_that_can_be_reached_directly_is_found() {
    let source = include_str!("../../../../shared-db/ownership.toml")
        .replace("[runtime.tables]", "[runtime.tables]\nparts = { scope = \"tenant\" }");
    let contract = Contract::parse(&source).unwrap();
    let database = TestDatabase::create().await;
    let mut conn = PgConnection::connect(&database.superuser_url()).await.unwrap();
    let sql = "
        create table runtime.parts (org_id uuid not null, id uuid not null, primary key (org_id, id))
            partition by hash (org_id);
        create table runtime.parts_0 partition of runtime.parts for values with (modulus 2, remainder 0);
        create table runtime.parts_1 partition of runtime.parts for values with (modulus 2, remainder 1);
        grant select on runtime.parts_1 to web_app";
    run(&mut conn, sql).await;
    let partitions = async |conn: &mut PgConnection| {
        let findings = verify::run_with(conn, &contract).await.unwrap();
        findings.into_iter().filter(|it| it.kind == Kind::Partition).collect::<Vec<_>>()
    };
    let found = partitions(&mut conn).await;
    assert_eq!(found.len(), 1, "{found:#?}");
    assert_eq!(found[0].object, "runtime.parts_1");
    run(&mut conn, &found[0].mend).await;
    assert_eq!(partitions(&mut conn).await, []);
}
