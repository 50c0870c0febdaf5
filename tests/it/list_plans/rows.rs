//! Many rows in every table of a plain resource, made of one that is there.

use super::Reader;
use crate::tour::Tour;
use shared_db::ids::{OrganizationId, UserId};
use sqlx::{AssertSqlSafe, PgPool, Row};
use web_service::resource::Resource;

const ROWS: u32 = 200_000;

/// A column, and what a row with the number `n` has in it.
struct Column {
    name: String,
    value: Option<String>,
}

/// Fills the tables of all plain resources, and returns whose rows a third of them are.
pub(super) async fn fill(tour: &Tour) -> Reader {
    let pool = tour.stack.database.superuser();
    let orgs =
        [OrganizationId::generate(), OrganizationId::generate(), tour.org.id.parse().unwrap()];
    let users = [UserId::generate(), UserId::generate(), tour.org.viewer.user_id.parse().unwrap()];
    for table in tables() {
        copy(&pool, table, &orgs, &users).await;
    }
    Reader { org: orgs[2], user: users[2] }
}

macro_rules! names {
    ($($domain:ident::$plural:ident::$name:ident)*) => {
        [$( <web_service::store::$domain::$plural::$name as Resource>::TABLE ),*]
    };
}

fn tables() -> impl IntoIterator<Item = &'static str> {
    names! {
        marketplace::virtual_employees::VirtualEmployee
        marketplace::hired_employees::HiredEmployee
        marketplace::employee_connections::EmployeeConnection
        apps::note_folders::NoteFolder
        apps::notes::Note
        apps::projects::Project
        apps::tasks::Task
        apps::messages::Message
        apps::calendar_events::CalendarEvent
        apps::emails::Email
        apps::sheets::Sheet
        apps::sheet_versions::SheetVersion
        apps::workspace_items::WorkspaceItem
        finance::bank_accounts::BankAccount
        finance::transactions::Transaction
        finance::brokerage_connections::BrokerageConnection
        finance::portfolios::Portfolio
        finance::holdings::Holding
        finance::positions::Position
        finance::wallet_connections::WalletConnection
        integrations::catalog_integrations::CatalogIntegration
        integrations::installations::Installation
        integrations::integrations::Integration
        billing::subscription_tiers::SubscriptionTier
        billing::subscriptions::Subscription
        billing::credit_prices::CreditPrice
        billing::licenses::License
        billing::license_sections::LicenseSection
        research::research_templates::ResearchTemplate
    }
}

async fn copy(pool: &PgPool, table: &str, orgs: &[OrganizationId; 3], users: &[UserId; 3]) {
    let columns = columns(pool, table, orgs, users).await;
    let names: Vec<_> = columns.iter().map(|it| it.name.as_str()).collect();
    let values: Vec<_> = columns
        .iter()
        .map(|it| it.value.clone().unwrap_or_else(|| format!("t.{}", it.name)))
        .collect();
    // Foreign keys are not looked at: what a row refers to does not matter here.
    let sql = format!(
        "set session_replication_role = replica;
         insert into web.{table} ({names})
         select {values}
         from (select * from web.{table} limit 1) as t, generate_series(1, {ROWS}) as n;
         set session_replication_role = origin;
         analyze web.{table}",
        names = names.join(", "),
        values = values.join(", "),
    );
    let mut conn = pool.acquire().await.unwrap();
    let done = sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *conn).await;
    done.unwrap_or_else(|error| panic!("{table}: {error}"));
}

async fn columns(
    pool: &PgPool,
    table: &str,
    orgs: &[OrganizationId; 3],
    users: &[UserId; 3],
) -> Vec<Column> {
    let sql = "select a.attname::text as name, format_type(a.atttypid, null) as type,
            exists (
                select from pg_index as i
                where i.indrelid = a.attrelid and i.indisunique and not i.indisprimary and a.attnum = any(i.indkey)
            ) or a.attname = 'email' as own
        from pg_attribute as a
        where a.attrelid = ('web.' || $1)::regclass and 0 < a.attnum and not a.attisdropped and a.attgenerated = ''";
    let rows = sqlx::query(sql).bind(table).fetch_all(pool).await.unwrap();
    let third = |them: [String; 3]| format!("('{{{}}}'::uuid[])[n % 3 + 1]", them.join(","));
    let column = |row: &sqlx::postgres::PgRow| {
        let (name, ty, own): (String, String, bool) =
            (row.get("name"), row.get("type"), row.get("own"));
        let value = match (name.as_str(), ty.as_str()) {
            ("org_id", _) => Some(third(orgs.map(|it| it.to_string()))),
            ("user_id", _) => Some(third(users.map(|it| it.to_string()))),
            ("id", _) => Some("md5(n::text)::uuid".to_owned()),
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
