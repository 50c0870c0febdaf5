//! The lists that are written by hand.

use super::{Reader, SORTED_MAX, Sent, check_sent, quoted, rows, value};
use shared_db::{
    ids::ExecutionId,
    page::PageRequest,
    read,
    scope::{Db, Scope},
};
use sqlx::PgConnection;
use web_service::store::{
    actions,
    apps::{
        self,
        files::{FileFilter, Within},
    },
    identity::{self, activities::ActivityFilter, organizations::Whose},
};

/// About what one of a hundred trees has, in one of three organizations.
const SORTED_OF_TREE_MAX: f64 = 1000.0;

/// A list that sorts no more than a page.
fn sent<'s>(name: &'s str, table: &'s str, scope: Scope, owners: Vec<String>) -> Sent<'s> {
    Sent { name, table, scope, owners, sorted_max: SORTED_MAX }
}

/// The lists of more than plain resources.
pub(super) async fn check(tables: &rows::Tables, db: &Db, found: &mut Vec<String>) {
    let Reader { org, user } = tables.reader();
    let own = |table| sent(table, table, Scope::Tenant(org, Some(user)), vec![quoted(org)]);
    let every = |table| sent(table, table, Scope::Platform, Vec::new());
    tables.fill("files").await;
    let list = async |tx: &mut PgConnection, page: &PageRequest| {
        let filter = FileFilter {
            within: Within::Anywhere,
            tag: None,
            query: None,
            media_type_prefix: None,
            show_deleted: false,
        };
        apps::files::list(tx, org, &filter, page, |_| Ok(())).await.unwrap();
    };
    check_sent(db, &own("files"), list, found).await;
    tables.fill("activities").await;
    let list = async |tx: &mut PgConnection, page: &PageRequest| {
        let filter = ActivityFilter::default();
        identity::activities::list(tx, org, &filter, page, |_| Ok(())).await.unwrap();
    };
    check_sent(db, &own("activities"), list, found).await;
    tables.fill("core_actions").await;
    let list = async |tx: &mut PgConnection, page: &PageRequest| {
        actions::core_actions::list(tx, org, None, page, |_| Ok(())).await.unwrap();
    };
    check_sent(db, &own("core_actions"), list, found).await;
    tables.fill("api_keys").await;
    let list = async |tx: &mut PgConnection, page: &PageRequest| {
        identity::api_keys::list(tx, org, page, |_| Ok(())).await.unwrap();
    };
    check_sent(db, &own("api_keys"), list, found).await;
    tables.fill("app_platforms").await;
    let list = async |tx: &mut PgConnection, page: &PageRequest| {
        actions::platforms::list(tx, page, |_| Ok(())).await.unwrap();
    };
    check_sent(db, &every("app_platforms"), list, found).await;
    tables.fill("purges").await;
    let list = async |tx: &mut PgConnection, page: &PageRequest| {
        identity::purges::list(tx, page, |_| Ok(())).await.unwrap();
    };
    check_sent(db, &every("purges"), list, found).await;
    check_people(tables, db, found).await;
    check_fruits(tables, db, found).await;
}

/// Questions, dead letters, and the data of a tree.
async fn check_fruits(tables: &rows::Tables, db: &Db, found: &mut Vec<String>) {
    let Reader { org, user } = tables.reader();
    let own = |table| sent(table, table, Scope::Tenant(org, Some(user)), vec![quoted(org)]);
    tables.fill_in("runtime", "input_requests").await;
    let list = async |tx: &mut PgConnection, page: &PageRequest| {
        let filter = read::input_requests::InputRequestFilter::default();
        read::input_requests::list(tx, org, &filter, page).await.unwrap();
    };
    check_sent(db, &own("input_requests"), list, found).await;
    tables.fill_in("runtime", "dead_letters").await;
    let list = async |tx: &mut PgConnection, page: &PageRequest| {
        let filter = read::dead_letters::DeadLetterFilter::default();
        read::dead_letters::list(tx, org, &filter, page).await.unwrap();
    };
    check_sent(db, &own("dead_letters"), list, found).await;
    tables.fill_in("runtime", "workflow_data").await;
    let list = async |tx: &mut PgConnection, page: &PageRequest| {
        let root = ExecutionId(uuid::Uuid::nil());
        read::workflow_data::list(tx, org, root, &[], page).await.unwrap();
    };
    let mut of_a_tree = own("workflow_data");
    of_a_tree.owners.push(value("uuid"));
    // All that the tree has is read and sorted: what others have is not.
    of_a_tree.sorted_max = SORTED_OF_TREE_MAX;
    check_sent(db, &of_a_tree, list, found).await;
}

/// Users, organizations, and who is a member of which: as the platform lists them, and as members see them.
async fn check_people(tables: &rows::Tables, db: &Db, found: &mut Vec<String>) {
    let Reader { org, user } = tables.reader();
    let own = Scope::Tenant(org, Some(user));
    tables.fill("users").await;
    tables.fill("organizations").await;
    tables.fill("organization_members").await;
    let list = async |tx: &mut PgConnection, page: &PageRequest| {
        identity::members::list(tx, org, None, page, |_| Ok(())).await.unwrap();
    };
    let members = sent("members", "organization_members", own, vec![quoted(org)]);
    check_sent(db, &members, list, found).await;
    for (name, scope) in [("users", Scope::Platform), ("users, as members see them", own)] {
        let list = async |tx: &mut PgConnection, page: &PageRequest| {
            identity::users::list(tx, None, page, |_| Ok(())).await.unwrap();
        };
        check_sent(db, &sent(name, "users", scope, Vec::new()), list, found).await;
    }
    for (name, scope) in
        [("organizations", Scope::Platform), ("organizations, as members see them", own)]
    {
        let list = async |tx: &mut PgConnection, page: &PageRequest| {
            identity::organizations::list(tx, Whose::Everyone, page, |_| Ok(())).await.unwrap();
        };
        check_sent(db, &sent(name, "organizations", scope, Vec::new()), list, found).await;
    }
}
