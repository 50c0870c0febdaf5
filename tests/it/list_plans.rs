//! Every list of a plain resource, and those of files, activities, core actions and of what executions leave behind, reads by an index and sorts no more than a page, with
//! 200,000 rows of three organizations, under the service's role and its policies.
//!
//! The statements are those that the service has: each is sent once, and then explained with each of its conditions in turn.

mod others;
mod rows;

use crate::{
    conformance::words::snake,
    tour::{Step, Tour, Visitor},
};
use serde_json::Value;
use shared_db::{
    ids::{OrganizationId, UserId},
    page::PageRequest,
    scope::{Db, Scope, Service},
};
use sqlx::{AssertSqlSafe, PgConnection, Row};
use web_service::{
    resource::{Everyone, List, Mine, Owner},
    store::{apps, billing, finance, integrations, marketplace, research},
};

/// Rows of a page, and the one after it.
const SORTED_MAX: f64 = 51.0;
/// What is compared word by word, since policies keep it from being looked up, leaves as many as the largest page at most.
const SORTED_OF_TEXT_MAX: f64 = 1000.0;

struct Nobody;

impl Visitor for Nobody {
    async fn before(&mut self, _: &Tour, _: &Step) {}
}

/// Whose rows are listed.
#[derive(Clone, Copy)]
struct Reader {
    org: OrganizationId,
    user: UserId,
}

/// How an owner is made of a reader.
trait Of: Owner {
    fn of_reader(reader: Reader) -> Self;
}

impl Of for OrganizationId {
    fn of_reader(reader: Reader) -> Self {
        reader.org
    }
}

impl Of for Mine {
    fn of_reader(Reader { org, user }: Reader) -> Self {
        Self { org, user }
    }
}

impl Of for Everyone {
    fn of_reader(_: Reader) -> Self {
        Self
    }
}

/// A statement that the connection has prepared.
struct Prepared {
    name: String,
    text: String,
    types: Vec<String>,
}

/// The one that was prepared last.
async fn newest(conn: &mut PgConnection) -> Prepared {
    let sql = "select name, statement, parameter_types::text[] as types
        from pg_prepared_statements
        where statement like '%order by%limit%' and statement not like '%pg_prepared_statements%'
        order by prepare_time desc
        limit 1";
    let row = sqlx::query(sql).fetch_one(conn).await.unwrap();
    Prepared { name: row.get("name"), text: row.get("statement"), types: row.get("types") }
}

impl Prepared {
    /// The value of a parameter with which its condition holds for all rows.
    fn neutral(&self, at: usize) -> String {
        let number = at + 1;
        let flag = [
            format!("or not ${number})"),
            format!("(not ${number} or"),
            format!("deleted_at is null or ${number})"),
            format!("(${number} or deleted_at is null)"),
        ];
        let is_flag = flag.iter().any(|it| self.text.contains(it));
        let is_set = self.text.contains(&format!("${number}::text[] = '{{}}'"));
        if is_flag {
            "false".to_owned()
        } else if is_set {
            "'{}'".to_owned()
        } else {
            "null".to_owned()
        }
    }
}

/// A value of a type, as SQL. That nothing has it does not matter: the planner goes by how many have one such.
fn value(ty: &str) -> String {
    match ty {
        "uuid" => "'00000000-0000-7000-8000-000000000007'".to_owned(),
        "text" => "'needle'".to_owned(),
        "text[]" => "'{needle}'".to_owned(),
        "boolean" => "true".to_owned(),
        "timestamp with time zone" => "now() - interval '1 day'".to_owned(),
        "bigint" => "51".to_owned(),
        "integer" => "1".to_owned(),
        ty => format!("(enum_range(null::{ty}))[2]"),
    }
}

/// What a plan does that it should not.
fn faults(table: &str, sorted_max: f64, plan: &Value, faults: &mut Vec<String>) {
    let rows = plan["Plan Rows"].as_f64().unwrap_or_default();
    match plan["Node Type"].as_str().unwrap_or_default() {
        "Seq Scan" if plan["Relation Name"] == table => {
            faults.push("reads all of its table".to_owned());
        }
        // What comes in is what is sorted; what a limit above takes out says nothing.
        "Sort" if sorted_max < rows => faults.push(format!("sorts {rows} rows")),
        _ => {}
    }
    for below in plan["Plans"].as_array().into_iter().flatten() {
        self::faults(table, sorted_max, below, faults);
    }
}

async fn explain(conn: &mut PgConnection, statement: &Prepared, arguments: &[String]) -> Value {
    let (name, arguments) = (&statement.name, arguments.join(", "));
    let sql = format!("explain (format json) execute {name}({arguments})");
    let rows = sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(conn).await.unwrap();
    rows[0].get::<Value, _>(0)[0]["Plan"].take()
}

/// Explains the plans that a list without conditions has when there is next to nothing in its table, which is when they are made for good.
async fn check_kept<R: List>(db: &Db, reader: Reader, found: &mut Vec<String>)
where
    R::Owner: Of,
    R::Filter: Default,
{
    let (owner, filter) = (R::Owner::of_reader(reader), R::Filter::default());
    for (number, order) in R::ORDERS.iter().enumerate() {
        let scope = Scope::Tenant(reader.org, Some(reader.user));
        let mut tx = db.begin_ordered(scope).await.unwrap();
        // The first five are planned for their values.
        for _ in 0..=5 {
            let page = PageRequest { size: 50, after: None };
            R::list(&mut tx, owner, &filter, number, &page).await.unwrap();
        }
        let statement = newest(&mut tx).await;
        let arguments: Vec<_> = statement.types.iter().map(|_| "null".to_owned()).collect();
        let plan = explain(&mut tx, &statement, &arguments).await;
        let mut wrong = Vec::new();
        faults(R::TABLE, 0.0, &plan, &mut wrong);
        found.extend(wrong.iter().map(|it| format!("{} by {order}, kept: {it}", snake(R::NAME))));
    }
}

/// Explains one list in all its orders, with no condition, with each one, and from the second page on.
async fn check<R: List>(tables: &rows::Tables, db: &Db, found: &mut Vec<String>)
where
    R::Owner: Of,
    R::Filter: Default,
{
    let reader = tables.reader();
    check_kept::<R>(db, reader, found).await;
    tables.fill(R::TABLE).await;
    let owner = R::Owner::of_reader(reader);
    let owners = match std::any::type_name::<R::Owner>().rsplit("::").next() {
        Some("Everyone") => Vec::new(),
        Some("Mine") => vec![quoted(reader.org), quoted(reader.user)],
        _ => vec![quoted(reader.org)],
    };
    for (number, order) in R::ORDERS.iter().enumerate() {
        let send = async |tx: &mut PgConnection, page: &PageRequest| {
            R::list(tx, owner, &R::Filter::default(), number, page).await.unwrap();
        };
        let name = format!("{} by {order}", snake(R::NAME));
        let scope = Scope::Tenant(reader.org, Some(reader.user));
        let sent = Sent {
            name: &name,
            table: R::TABLE,
            scope,
            owners: owners.clone(),
            sorted_max: SORTED_MAX,
        };
        check_sent(db, &sent, send, found).await;
    }
}

/// What is known of a list before it is sent.
struct Sent<'s> {
    name: &'s str,
    table: &'s str,
    scope: Scope,
    /// Its first parameters, which say whose rows are meant.
    owners: Vec<String>,
    /// The most that it may sort.
    sorted_max: f64,
}

/// An id as SQL.
fn quoted(id: impl std::fmt::Display) -> String {
    format!("'{id}'")
}

/// Explains the statement that `send` sends, with no condition, with each one, and from the second page on.
async fn check_sent(
    db: &Db,
    &Sent { name, table, scope, ref owners, sorted_max }: &Sent<'_>,
    send: impl AsyncFn(&mut PgConnection, &PageRequest),
    found: &mut Vec<String>,
) {
    let mut tx = db.begin_search(scope).await.unwrap();
    send(&mut tx, &PageRequest { size: 50, after: None }).await;
    let statement = newest(&mut tx).await;
    assert!(statement.text.contains(table), "{name} has sent {}", statement.text);
    let count = statement.types.len();
    // Whose they are, the conditions, and then: after which time, after which id, how many.
    let cursor = count - 3;
    let mut base: Vec<_> = (0..count).map(|at| statement.neutral(at)).collect();
    base[..owners.len()].clone_from_slice(owners);
    base[count - 1] = value("bigint");
    let mut tries = vec![("no condition".to_owned(), base.clone())];
    for at in owners.len()..cursor {
        let mut with = base.clone();
        with[at] = value(&statement.types[at]);
        tries
            .push((format!("condition {} ({})", at - owners.len() + 1, statement.types[at]), with));
    }
    let mut second = base.clone();
    second[cursor] = value("timestamp with time zone");
    second[cursor + 1] = value("uuid");
    tries.push(("the second page".to_owned(), second));
    for (what, arguments) in tries {
        let plan = explain(&mut tx, &statement, &arguments).await;
        let mut wrong = Vec::new();
        let sorted_max = if what.ends_with("(text)") { SORTED_OF_TEXT_MAX } else { sorted_max };
        faults(table, sorted_max, &plan, &mut wrong);
        found.extend(wrong.iter().map(|it| format!("{name}, {what}: {it}")));
    }
}

macro_rules! check_all {
    ($tables:expr, $db:expr, $found:ident: $($domain:ident::$plural:ident::$name:ident)*) => {
        $(
            check::<$domain::$plural::$name>($tables, $db, &mut $found).await;
            $tables.empty(<$domain::$plural::$name as web_service::resource::Resource>::TABLE).await;
        )*
    };
}

/// One table after the other, those that refer to others before them: what was looked at is emptied, so that no disk has to hold
/// all of it.
#[tokio::test]
async fn every_list_goes_by_an_index() {
    let tour = Tour::go(&mut Nobody).await;
    let tables = rows::Tables::of(&tour);
    let db = tour.stack.database.db(Service::Web);
    let mut found = Vec::new();
    check_all!(&tables, &db, found:
        research::research_templates::ResearchTemplate
        billing::license_sections::LicenseSection
        billing::licenses::License
        billing::credit_prices::CreditPrice
        billing::subscriptions::Subscription
        billing::subscription_tiers::SubscriptionTier
        integrations::integrations::Integration
        integrations::installations::Installation
        integrations::catalog_integrations::CatalogIntegration
        finance::wallet_connections::WalletConnection
        finance::positions::Position
        finance::holdings::Holding
        finance::portfolios::Portfolio
        finance::brokerage_connections::BrokerageConnection
        finance::transactions::Transaction
        finance::bank_accounts::BankAccount
        apps::workspace_items::WorkspaceItem
        apps::sheet_versions::SheetVersion
        apps::sheets::Sheet
        apps::emails::Email
        apps::calendar_events::CalendarEvent
        apps::messages::Message
        apps::tasks::Task
        apps::projects::Project
        apps::notes::Note
        apps::note_folders::NoteFolder
        marketplace::employee_connections::EmployeeConnection
        marketplace::hired_employees::HiredEmployee
        marketplace::virtual_employees::VirtualEmployee
    );
    others::check(&tables, &db, &mut found).await;
    assert!(found.is_empty(), "{} of the lists:\n{}", found.len(), found.join("\n"));
}
