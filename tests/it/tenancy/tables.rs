//! The second lock: with a service's own role and another organization, or none, there are no rows to see or to change.

use crate::tour::{Step, Tour, Visitor};
use shared_db::{
    contract::{Contract, RowScope},
    scope::Service,
};
use sqlx::{AssertSqlSafe, PgConnection, PgPool, Row};

/// A table whose rows have a tenant, and the column that says which.
struct Table {
    name: String,
    column: String,
    owner: Service,
}

/// From the database itself: every table of the two schemas with an `org_id`, and organizations.
async fn tables(pool: &PgPool) -> Vec<Table> {
    let sql = "select c.oid::regclass::text as name, n.nspname, a.attname
        from pg_class c
        join pg_namespace n on n.oid = c.relnamespace
        join pg_attribute a on a.attrelid = c.oid
        where n.nspname in ('web', 'runtime') and c.relkind in ('r', 'p') and not c.relispartition
            and (a.attname = 'org_id' or (c.relname = 'organizations' and a.attname = 'id'))
        order by 1";
    let rows = sqlx::query(sql).fetch_all(pool).await.unwrap();
    let table = |row: &sqlx::postgres::PgRow| Table {
        name: row.get("name"),
        column: row.get("attname"),
        owner: if row.get::<&str, _>("nspname") == "web" { Service::Web } else { Service::Runtime },
    };
    rows.iter().map(table).collect()
}

/// One text for all rows of an organization: it changes when any of them does.
pub(crate) async fn digest(pool: &PgPool, org: &str) -> String {
    let mut all = Vec::new();
    for Table { name, column, .. } in tables(pool).await {
        // When a key was last used is a matter of its own calls.
        let sql = format!(
            "select md5(coalesce(string_agg((to_jsonb(t) - 'last_used_at' - 'updated_at')::text, ',' order by t::text), ''))
             from {name} t where {column} = '{org}'"
        );
        let hash: String = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(pool).await.unwrap();
        all.push(format!("{name} {hash}"));
    }
    all.join("\n")
}

struct Nobody;

impl Visitor for Nobody {
    async fn before(&mut self, _: &Tour, _: &Step) {}
}

async fn count(connection: &mut PgConnection, sql: String) -> i64 {
    let result = sqlx::query_scalar(AssertSqlSafe(sql.clone())).fetch_one(connection).await;
    result.unwrap_or_else(|error| panic!("{sql}: {error}"))
}

/// Begins a transaction as a service does, for an organization or for none.
async fn begin(pool: &PgPool, org: Option<&str>) -> sqlx::PgTransaction<'static> {
    let mut tx = pool.begin().await.unwrap();
    if let Some(org) = org {
        let sql = format!("set local app.current_org_id = '{org}'");
        sqlx::query(AssertSqlSafe(sql)).execute(&mut *tx).await.unwrap();
    }
    tx
}

/// SQLSTATE of a statement that is tried and undone.
async fn try_out(pool: &PgPool, org: Option<&str>, sql: &str) -> Result<u64, String> {
    let mut tx = begin(pool, org).await;
    let result = sqlx::query(AssertSqlSafe(sql.to_owned())).execute(&mut *tx).await;
    tx.rollback().await.unwrap();
    match result {
        Ok(done) => Ok(done.rows_affected()),
        Err(error) => Err(sqlstate(&error)),
    }
}

const DENIED: &str = "42501";

fn sqlstate(error: &sqlx::Error) -> String {
    error.as_database_error().unwrap().code().unwrap().into_owned()
}

#[tokio::test]
async fn no_row_of_another_organization_is_seen_or_changed() {
    let tour = Tour::go(&mut Nobody).await;
    let database = &tour.stack.database;
    let superuser = database.superuser();
    let mine = tour.org.id.as_str();
    let all = tables(&superuser).await;
    let with_tenant = Contract::embedded().tables.iter();
    let with_tenant =
        with_tenant.filter(|it| it.scope.has_org_id() || it.scope == RowScope::Organization);
    assert_eq!(
        all.len(),
        with_tenant.count(),
        "the database and the contract know the same tables"
    );

    for Table { name, column, owner } in &all {
        let rows = format!("select count(*) from {name} where {column} = '{mine}'");
        let there = count(&mut superuser.acquire().await.unwrap(), rows.clone()).await;
        assert!(0 < there, "the tour leaves rows in {name}");

        for (service, pool) in
            [(Service::Web, database.web()), (Service::Runtime, database.runtime())]
        {
            for org in [Some(tour.stranger.id.as_str()), None] {
                let mut tx = begin(&pool, org).await;
                assert_eq!(count(&mut tx, rows.clone()).await, 0, "{service:?} sees {name}");
                drop(tx);
                if service != *owner {
                    continue;
                }
                let update = format!("update {name} set {column} = {column}");
                let update = format!("{update} where {column} = '{mine}'");
                let delete = format!("delete from {name} where {column} = '{mine}'");
                for sql in [update, delete] {
                    let result = try_out(&pool, org, &sql).await;
                    let denied = result == Err(DENIED.to_owned());
                    assert!(result == Ok(0) || denied, "{sql}: {result:?}");
                }
            }
        }
    }
}

/// The columns that a statement may write: those that PostgreSQL does not make itself.
async fn written(pool: &PgPool, table: &str) -> String {
    let sql = "select string_agg(quote_ident(attname), ', ' order by attnum)
        from pg_attribute
        where attrelid = $1::text::regclass and 0 < attnum and not attisdropped and attgenerated = ''";
    sqlx::query_scalar(sql).bind(table).fetch_one(pool).await.unwrap()
}

/// A statement that inserts a copy of a row that the superuser sees: it is right but for whose it is.
async fn copy(superuser: &PgPool, table: &str, condition: &str) -> Option<String> {
    let sql = format!("select to_jsonb(t)::text from {table} t where {condition} limit 1");
    let row: Option<String> =
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_optional(superuser).await.unwrap();
    let row = row?.replace('\'', "''");
    let columns = written(superuser, table).await;
    Some(format!(
        "insert into {table} ({columns}) select {columns} from jsonb_populate_record(null::{table}, '{row}')"
    ))
}

#[tokio::test]
async fn no_row_can_be_given_to_another_organization() {
    let tour = Tour::go(&mut Nobody).await;
    let database = &tour.stack.database;
    let (mine, theirs) = (tour.org.id.as_str(), tour.stranger.id.as_str());
    for Table { name, column, owner } in tables(&database.superuser()).await {
        let pool = match owner {
            Service::Web => database.web(),
            Service::Runtime => database.runtime(),
        };
        let one = format!("{column} = '{mine}'");
        let Some(insert) = copy(&database.superuser(), &name, &one).await else { continue };
        for org in [Some(theirs), None] {
            assert_eq!(try_out(&pool, org, &insert).await, Err(DENIED.to_owned()), "{name}");
        }
    }
}

/// Begins a transaction as a service does, for a user of an organization or for none.
async fn begin_as(pool: &PgPool, org: &str, user: Option<&str>) -> sqlx::PgTransaction<'static> {
    let mut tx = begin(pool, Some(org)).await;
    if let Some(user) = user {
        let sql = format!("set local app.current_user_id = '{user}'");
        sqlx::query(AssertSqlSafe(sql)).execute(&mut *tx).await.unwrap();
    }
    tx
}

/// The tables come from the contract: a new one of scope private is held to it, and the tour has to leave a row in it.
#[tokio::test]
async fn no_row_of_another_user_is_seen_or_changed() {
    let tour = Tour::go(&mut Nobody).await;
    let database = &tour.stack.database;
    let superuser = database.superuser();
    let (org, theirs) = (tour.org.id.as_str(), tour.org.viewer.user_id.as_str());
    let private = Contract::embedded().tables.iter().filter(|it| it.scope == RowScope::Private);
    let private: Vec<_> = private.collect();
    assert!(!private.is_empty());
    for table in private {
        let name = table.path();
        let rows =
            format!("select count(*) from {name} where org_id = '{org}' and user_id = '{theirs}'");
        let there = count(&mut superuser.acquire().await.unwrap(), rows.clone()).await;
        assert!(0 < there, "the tour leaves rows of the viewer in {name}");
        for (service, pool) in
            [(Service::Web, database.web()), (Service::Runtime, database.runtime())]
        {
            let mut own = begin_as(&pool, org, Some(theirs)).await;
            assert_eq!(
                count(&mut own, rows.clone()).await,
                there,
                "{service:?} sees the user's own"
            );
            drop(own);
            for user in [Some(tour.org.owner.user_id.as_str()), None] {
                let mut tx = begin_as(&pool, org, user).await;
                assert_eq!(count(&mut tx, rows.clone()).await, 0, "{service:?} sees {name}");
                if service != table.owner {
                    continue;
                }
                for sql in [
                    format!("update {name} set user_id = user_id where user_id = '{theirs}'"),
                    format!("delete from {name} where user_id = '{theirs}'"),
                ] {
                    let done = sqlx::query(AssertSqlSafe(sql.clone())).execute(&mut *tx).await;
                    assert_eq!(done.unwrap().rows_affected(), 0, "{sql}");
                }
                // Nor is one given to them.
                let insert = copy(&superuser, &name, &format!("user_id = '{theirs}'")).await;
                let given = sqlx::query(AssertSqlSafe(insert.unwrap())).execute(&mut *tx).await;
                assert_eq!(sqlstate(&given.unwrap_err()), DENIED, "{name}");
            }
        }
    }
}

/// Of scope user: people are seen by those who are in an organization with them, and by themselves.
#[tokio::test]
async fn no_person_is_seen_or_changed_from_another_organization() {
    let tour = Tour::go(&mut Nobody).await;
    let database = &tour.stack.database;
    let (mine, theirs) = (tour.org.id.as_str(), tour.stranger.id.as_str());
    let person = tour.org.developer.user_id.as_str();
    let of_people = Contract::embedded().tables.iter().filter(|it| it.scope == RowScope::User);
    let of_people: Vec<_> = of_people.collect();
    assert!(!of_people.is_empty());
    for table in of_people {
        let name = table.path();
        let rows = format!("select count(*) from {name} where id = '{person}'");
        for (service, pool) in
            [(Service::Web, database.web()), (Service::Runtime, database.runtime())]
        {
            for (org, user, seen) in [
                (mine, None, 1),
                (theirs, None, 0),
                (theirs, Some(tour.stranger.owner.user_id.as_str()), 0),
                (theirs, Some(person), 1),
            ] {
                let mut tx = begin_as(&pool, org, user).await;
                let rows = count(&mut tx, rows.clone()).await;
                assert_eq!(rows, seen, "{service:?} sees {name} in {org} as {user:?}");
            }
            let mut nowhere = begin(&pool, None).await;
            assert_eq!(count(&mut nowhere, rows.clone()).await, 0, "{service:?} sees {name}");
            drop(nowhere);
            for sql in [
                format!("update {name} set id = id where id = '{person}'"),
                format!("delete from {name} where id = '{person}'"),
            ] {
                for org in [Some(theirs), None] {
                    let result = try_out(&pool, org, &sql).await;
                    let denied = result == Err(DENIED.to_owned());
                    assert!(result == Ok(0) || denied, "{service:?}, {sql}: {result:?}");
                }
            }
        }
    }
}
