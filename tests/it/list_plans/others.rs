//! The lists of more than plain resources: their statements are written out, and so is what is sent here.

use super::{
    Findings, Reader, Sent, check_sent,
    rows::{self, Tables},
};
use shared_db::{
    ids::ExecutionId,
    page::PageRequest,
    read,
    scope::{Db, Scope},
};
use sqlx::PgConnection;
use web_service::store::{
    actions,
    apps::{self, files::FileFilter},
    identity::{self, activities::ActivityFilter, organizations::Whose},
};

/// The lists of more than plain resources.
pub(super) async fn check(tables: &Tables, db: &Db, found: &mut Findings) {
    let reader = tables.reader();
    let org = reader.org;
    tables.fill("files").await;
    for (number, order) in apps::files::ORDERS.iter().enumerate() {
        let list = async |tx: &mut PgConnection, page: &PageRequest| {
            let filter = FileFilter::default();
            apps::files::list(tx, org, &filter, number, page, |_| Ok(())).await.unwrap();
        };
        let name = format!("ListFiles by {order}");
        check_sent(tables, db, &own(reader, &name, "files"), list, found).await;
    }
    // Emptied, folders take the files along, of which one has to be there to be copied.
    super::check::<apps::file_folders::FileFolder>(tables, db, found).await;
    tables.empty("file_folders").await;
    tables.fill("activities").await;
    let list = async |tx: &mut PgConnection, page: &PageRequest| {
        let filter = ActivityFilter::default();
        identity::activities::list(tx, org, &filter, page, |_| Ok(())).await.unwrap();
    };
    check_sent(tables, db, &own(reader, "ListActivities", "activities"), list, found).await;
    tables.fill("core_actions").await;
    let list = async |tx: &mut PgConnection, page: &PageRequest| {
        actions::core_actions::list(tx, org, None, page, |_| Ok(())).await.unwrap();
    };
    check_sent(tables, db, &own(reader, "ListCoreActions", "core_actions"), list, found).await;
    tables.fill("api_keys").await;
    let list = async |tx: &mut PgConnection, page: &PageRequest| {
        identity::api_keys::list(tx, org, page, |_| Ok(())).await.unwrap();
    };
    check_sent(tables, db, &own(reader, "ListApiKeys", "api_keys"), list, found).await;
    super::check::<actions::platforms::Platform>(tables, db, found).await;
    tables.fill("purges").await;
    let list = async |tx: &mut PgConnection, page: &PageRequest| {
        identity::purges::list(tx, page, |_| Ok(())).await.unwrap();
    };
    check_sent(tables, db, &every("ListPurges", "purges"), list, found).await;
    check_people(tables, db, found).await;
    check_fruits(tables, db, found).await;
}

/// Agents, questions, dead letters, and the data of a tree.
async fn check_fruits(tables: &Tables, db: &Db, found: &mut Findings) {
    let reader = tables.reader();
    let org = reader.org;
    let of_runtime = |name, table| Sent { schema: "runtime", ..own(reader, name, table) };
    tables.fill_in("runtime", "agents").await;
    let list = async |tx: &mut PgConnection, page: &PageRequest| {
        let filter = read::agents::AgentFilter::default();
        read::agents::list(tx, org, &filter, page).await.unwrap();
    };
    check_sent(tables, db, &of_runtime("ListAgents", "agents"), list, found).await;
    tables.fill_in("runtime", "input_requests").await;
    let list = async |tx: &mut PgConnection, page: &PageRequest| {
        let filter = read::input_requests::InputRequestFilter::default();
        read::input_requests::list(tx, org, &filter, page).await.unwrap();
    };
    let questions = of_runtime("ListInputRequests", "input_requests");
    check_sent(tables, db, &questions, list, found).await;
    tables.fill_in("runtime", "dead_letters").await;
    let list = async |tx: &mut PgConnection, page: &PageRequest| {
        let filter = read::dead_letters::DeadLetterFilter::default();
        read::dead_letters::list(tx, org, &filter, page).await.unwrap();
    };
    let letters = of_runtime("ListDeadLetters", "dead_letters");
    check_sent(tables, db, &letters, list, found).await;
    tables.fill_in("runtime", "workflow_data").await;
    let list = async |tx: &mut PgConnection, page: &PageRequest| {
        let root = ExecutionId(uuid::Uuid::nil());
        read::workflow_data::list(tx, org, root, &[], page).await.unwrap();
    };
    let mut data = of_runtime("ListWorkflowData", "workflow_data");
    // The tree that has half of all.
    data.owners.push(("root_execution_id", rows::id_of("0")));
    check_sent(tables, db, &data, list, found).await;
}

/// One that lists rows of an organization, in an order by one key.
fn own<'s>(reader: Reader, name: &'s str, table: &'s str) -> Sent<'s> {
    let Reader { org, user } = reader;
    let scope = Scope::Tenant(org, Some(user));
    Sent { name, schema: "web", table, scope, owners: vec![reader.org()], keys: 1 }
}

/// One that lists rows of all of them.
fn every<'s>(name: &'s str, table: &'s str) -> Sent<'s> {
    Sent { name, schema: "web", table, scope: Scope::Platform, owners: Vec::new(), keys: 1 }
}

/// Users, organizations, and who is a member of which: as the platform lists them, and as members see them.
async fn check_people(tables: &Tables, db: &Db, found: &mut Findings) {
    let reader = tables.reader();
    let org = reader.org;
    let as_member = Scope::Tenant(org, Some(reader.user));
    tables.fill("users").await;
    tables.fill("organizations").await;
    tables.fill("organization_members").await;
    let list = async |tx: &mut PgConnection, page: &PageRequest| {
        identity::members::list(tx, org, None, page, |_| Ok(())).await.unwrap();
    };
    let members = own(reader, "ListMembers", "organization_members");
    check_sent(tables, db, &members, list, found).await;
    let whose = [("", Scope::Platform), (" as members see them", as_member)];
    for (seen, scope) in whose {
        let list = async |tx: &mut PgConnection, page: &PageRequest| {
            identity::users::list(tx, None, page, |_| Ok(())).await.unwrap();
        };
        let name = format!("ListUsers{seen}");
        let users = Sent { scope, ..every(&name, "users") };
        check_sent(tables, db, &users, list, found).await;
    }
    for (seen, scope) in whose {
        let list = async |tx: &mut PgConnection, page: &PageRequest| {
            identity::organizations::list(tx, Whose::Everyone, page, |_| Ok(())).await.unwrap();
        };
        let name = format!("ListOrganizations{seen}");
        let organizations = Sent { scope, ..every(&name, "organizations") };
        check_sent(tables, db, &organizations, list, found).await;
    }
}
