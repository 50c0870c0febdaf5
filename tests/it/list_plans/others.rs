//! The lists of more than plain resources: their statements are written out, and so is what is sent here.

use super::{Findings, Reader, Sent, check_sent, rows::Tables};
use shared_db::{
    page::PageRequest,
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
}

/// One that lists rows of an organization, in an order by one key.
fn own<'s>(Reader { org, user }: Reader, name: &'s str, table: &'s str) -> Sent<'s> {
    Sent { name, table, scope: Scope::Tenant(org, Some(user)), owners: 1, keys: 1 }
}

/// One that lists rows of all of them.
fn every<'s>(name: &'s str, table: &'s str) -> Sent<'s> {
    Sent { name, table, scope: Scope::Platform, owners: 0, keys: 1 }
}

/// Users, organizations, and who is a member of which: as the platform lists them, and as members see them.
async fn check_people(tables: &Tables, db: &Db, found: &mut Findings) {
    let Reader { org, user } = tables.reader();
    let own = Scope::Tenant(org, Some(user));
    tables.fill("users").await;
    tables.fill("organizations").await;
    tables.fill("organization_members").await;
    let list = async |tx: &mut PgConnection, page: &PageRequest| {
        identity::members::list(tx, org, None, page, |_| Ok(())).await.unwrap();
    };
    let sent =
        Sent { name: "ListMembers", table: "organization_members", scope: own, owners: 1, keys: 1 };
    check_sent(tables, db, &sent, list, found).await;
    for (name, scope) in [("ListUsers", Scope::Platform), ("ListUsers as members see them", own)] {
        let list = async |tx: &mut PgConnection, page: &PageRequest| {
            identity::users::list(tx, None, page, |_| Ok(())).await.unwrap();
        };
        check_sent(
            tables,
            db,
            &Sent { name, table: "users", scope, owners: 0, keys: 1 },
            list,
            found,
        )
        .await;
    }
    for (name, scope) in
        [("ListOrganizations", Scope::Platform), ("ListOrganizations as members see them", own)]
    {
        let list = async |tx: &mut PgConnection, page: &PageRequest| {
            identity::organizations::list(tx, Whose::Everyone, page, |_| Ok(())).await.unwrap();
        };
        check_sent(
            tables,
            db,
            &Sent { name, table: "organizations", scope, owners: 0, keys: 1 },
            list,
            found,
        )
        .await;
    }
}
