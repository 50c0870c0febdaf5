//! Many rows in every table of a plain resource, made of one that is there.

use super::Reader;
use crate::tour::Tour;
use shared_db::ids::{OrganizationId, UserId};
use sqlx::{AssertSqlSafe, PgPool, Row};

const ROWS: u32 = 200_000;

/// A column, and what a row with the number `n` has in it.
struct Column {
    name: String,
    value: Option<String>,
}

/// The tables of plain resources, each with the row that the tour has left in it.
pub(super) struct Tables {
    pool: PgPool,
    orgs: [OrganizationId; 3],
    users: [UserId; 3],
}

impl Tables {
    pub(super) fn of(tour: &Tour) -> Self {
        let (org, user) = (tour.org.id.parse().unwrap(), tour.org.viewer.user_id.parse().unwrap());
        Self {
            pool: tour.stack.database.superuser(),
            orgs: [OrganizationId::generate(), OrganizationId::generate(), org],
            users: [UserId::generate(), UserId::generate(), user],
        }
    }

    /// Whose rows a third of them are.
    pub(super) fn reader(&self) -> Reader {
        Reader { org: self.orgs[2], user: self.users[2] }
    }

    pub(super) async fn fill(&self, table: &str) {
        self.fill_in("web", table).await;
    }

    /// The same in another schema.
    pub(super) async fn fill_in(&self, schema: &str, table: &str) {
        copy(&self.pool, (schema, table), &self.orgs, &self.users).await;
    }

    pub(super) async fn empty(&self, table: &str) {
        let sql = format!("truncate web.{table} cascade");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&self.pool).await.unwrap();
    }
}

async fn copy(
    pool: &PgPool,
    (schema, table): (&str, &str),
    orgs: &[OrganizationId; 3],
    users: &[UserId; 3],
) {
    let columns = columns(pool, (schema, table), orgs, users).await;
    let names: Vec<_> = columns.iter().map(|it| it.name.as_str()).collect();
    let values: Vec<_> = columns
        .iter()
        .map(|it| it.value.clone().unwrap_or_else(|| format!("t.{}", it.name)))
        .collect();
    // Foreign keys are not looked at: what a row refers to does not matter here.
    let sql = format!(
        "set session_replication_role = replica;
         insert into {schema}.{table} ({names})
         select {values}
         from (select * from {schema}.{table} limit 1) as t, generate_series(1, {ROWS}) as n;
         set session_replication_role = origin;
         analyze {schema}.{table}",
        names = names.join(", "),
        values = values.join(", "),
    );
    let mut conn = pool.acquire().await.unwrap();
    let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *conn).await;
    done.unwrap_or_else(|error| panic!("{table}: {error}"));
}

async fn columns(
    pool: &PgPool,
    (schema, table): (&str, &str),
    orgs: &[OrganizationId; 3],
    users: &[UserId; 3],
) -> Vec<Column> {
    let sql = "select a.attname::text as name, format_type(a.atttypid, null) as type,
            exists (
                select from pg_index as i
                where i.indrelid = a.attrelid and i.indisunique and not i.indisprimary and a.attnum = any(i.indkey)
            ) or a.attname = 'email' as own
        from pg_attribute as a
        where a.attrelid = ($1 || '.' || $2)::regclass and 0 < a.attnum and not a.attisdropped and a.attgenerated = ''";
    let rows = sqlx::query(sql).bind(schema).bind(table).fetch_all(pool).await.unwrap();
    let third = |them: [String; 3]| format!("('{{{}}}'::uuid[])[n % 3 + 1]", them.join(","));
    let column = |row: &sqlx::postgres::PgRow| {
        let (name, ty, own): (String, String, bool) =
            (row.get("name"), row.get("type"), row.get("own"));
        let value = match (name.as_str(), ty.as_str()) {
            ("org_id", _) => Some(third(orgs.map(|it| it.to_string()))),
            // Each is a member once, of one of the three.
            ("user_id", _) if table == "organization_members" => {
                Some("md5(n::text)::uuid".to_owned())
            }
            ("prefix", _) => Some("lpad(n::text, 12, '0')".to_owned()),
            ("user_id", _) => Some(third(users.map(|it| it.to_string()))),
            ("id", _) => Some("md5(n::text)::uuid".to_owned()),
            // One letter of an execution, and one value of a key.
            ("execution_id", _) if table == "dead_letters" => Some("md5(n::text)::uuid".to_owned()),
            ("key", _) if table == "workflow_data" => Some("'k' || n".to_owned()),
            (_, "uuid") if own => Some(format!("md5('{name}' || n)::uuid")),
            // A hundred folders, projects and so on, where the one that is copied has one.
            (_, "uuid") => Some(format!(
                "case when t.{name} is not null then ('00000000-0000-7000-8000-' || lpad((n % 100)::text, 12, '0'))::uuid end"
            )),
            ("deleted_at", _) => Some("null::timestamptz".to_owned()),
            ("email", _) => Some("'a' || n || '@example.test'".to_owned()),
            ("symbol", _) => Some("'S' || n".to_owned()),
            (_, "text") if own => Some("'s' || n".to_owned()),
            (_, "integer") if own => Some("n".to_owned()),
            (_, "timestamp with time zone") => Some(format!("t.{name} - n * interval '1 minute'")),
            // One subscription of an organization goes on, all others have ended.
            ("status", "web.subscription_status") => Some("'ended'".to_owned()),
            _ => None,
        };
        Column { name, value }
    };
    rows.iter().map(column).collect()
}
