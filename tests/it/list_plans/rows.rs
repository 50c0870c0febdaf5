//! Many rows in every table of a plain resource, made of one that is there. What lists are narrowed by and ordered by is spread: one value is
//! frequent, and the others are rare.

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

    pub(super) fn pool(&self) -> &PgPool {
        &self.pool
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
    let sql = "select a.attname::text as name, format_type(a.atttypid, null) as type, a.attnotnull as required,
            exists (
                select from pg_index as i
                where i.indrelid = a.attrelid and i.indisunique and not i.indisprimary and a.attnum = any(i.indkey)
            ) or a.attname = 'email' as own
        from pg_attribute as a
        where a.attrelid = ($1 || '.' || $2)::regclass and 0 < a.attnum and not a.attisdropped and a.attgenerated = ''";
    let rows = sqlx::query(sql).bind(schema).bind(table).fetch_all(pool).await.unwrap();
    let third = |them: [String; 3]| format!("('{{{}}}'::uuid[])[n % 3 + 1]", them.join(","));
    let column = |row: &sqlx::postgres::PgRow| {
        let (name, ty): (String, String) = (row.get("name"), row.get("type"));
        let (own, required) = (row.get("own"), row.get("required"));
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
            _ if spread(table, &name, &ty, own, required).is_some() => {
                spread(table, &name, &ty, own, required)
            }
            (_, "uuid") if own => Some(format!("md5('{name}' || n)::uuid")),
            // A hundred others, where the one that is copied has one.
            (_, "uuid") => {
                Some(format!("case when t.{name} is not null then {} end", id_of("n % 100")))
            }
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

pub(super) fn id_of(number: &str) -> String {
    format!("('00000000-0000-7000-8000-' || lpad(({number})::text, 12, '0'))::uuid")
}

/// Half of the rows have one and the same, each of the others is rare.
fn skewed_id(number: &str) -> String {
    format!(
        "case when {number} % 2 = 0 then {} else {} end",
        id_of("0"),
        id_of(&format!("{number} % 500"))
    )
}

/// Nine of ten rows have the first value; some have the second, few the last.
fn skewed(first: &str, second: &str, last: &str) -> String {
    format!("case when n % 10 > 0 then {first} when n % 1000 > 0 then {second} else {last} end")
}

/// What lists are narrowed by and ordered by.
fn spread(table: &str, name: &str, ty: &str, own: bool, required: bool) -> Option<String> {
    // Only with a number of its own does it make a row that nothing else is.
    let together = ["parent_id", "portfolio_id", "license_id", "sheet_id", "from_employee_id"];
    Some(match (name, ty) {
        // An item leads to an address or to a thing, a task is for a person or for an employee, and what is closed had its price.
        ("resource_id", _) if table == "workspace_items" => {
            format!("case when n % 10 = 0 then {} end", id_of("n"))
        }
        ("url", _) if table == "workspace_items" => {
            "case when n % 10 > 0 then 'https://example.test/' end".to_owned()
        }
        ("assignee_user_id", _) => format!("case when n % 4 = 0 then {} end", skewed_id("n / 4")),
        ("assignee_employee_id", _) => {
            format!("case when n % 4 = 1 then {} end", skewed_id("n / 4"))
        }
        ("exit_price", _) => "case when n % 10 > 0 then 1 end".to_owned(),
        ("due_at" | "sent_at" | "closed_at" | "read_at", _) => {
            format!(
                "case when n % 10 > 0 then coalesce(t.{name}, now()) - n * interval '1 minute' end"
            )
        }
        (_, "uuid") if !name.ends_with("_id") || (own && !together.contains(&name)) => return None,
        (_, "uuid") if required => skewed_id("n"),
        (_, "uuid") => format!("case when n % 10 > 0 then {} end", skewed_id("n")),
        ("position", "integer") => "n % 1000".to_owned(),
        ("pinned" | "starred" | "listed" | "enabled" | "read", "boolean") => {
            "n % 100 > 0".to_owned()
        }
        ("tags" | "labels" | "categories", _) => {
            skewed("array['common']", "array['s' || n / 10 % 500]", "array['seldom']")
        }
        (_, "text") if own => return None,
        ("title" | "name" | "subject" | "body" | "description", "text") => {
            skewed("'common ' || n", "'common ' || n", "'common seldom ' || n")
        }
        ("category" | "conversation" | "section" | "action" | "resource_type", "text") => {
            skewed("'common'", "'s' || n / 10 % 500", "'seldom'")
        }
        ("media_type", "text") => skewed("'text/plain'", "'image/png'", "'video/mp4'"),
        ("reason", "text") if table == "dead_letters" => {
            skewed("'ATTEMPTS_EXHAUSTED'", "'WORKER_LOST'", "'WORKER_LOST'")
        }
        // Nothing is answered: an answer has its time.
        ("responded_at", _) => "null::timestamptz".to_owned(),
        ("state", "runtime.input_request_state") => skewed("'expired'", "'cancelled'", "'open'")
            .replace("'expired'", &format!("'expired'::{ty}")),
        // One subscription of an organization goes on, and what purges and keys are is not narrowed.
        ("status" | "kind" | "folder" | "chain" | "source" | "auth", _)
            if ty.starts_with("web.") && table != "subscriptions" =>
        {
            let all = format!("enum_range(null::{ty})");
            skewed(
                &format!("({all})[1]"),
                &format!("({all})[least(2, cardinality({all}))]"),
                &format!("({all})[cardinality({all})]"),
            )
        }
        _ => return None,
    })
}
