//! Every list of a plain resource, and those of files, activities, core actions and of what executions leave behind, reads by an
//! index and sorts no more than a page, with 200,000 rows of three organizations, under the service's role and its policies.
//!
//! The statements are those that the service has: each is sent once, and then explained with each of its conditions in turn and with each two of them
//! together, for values that are frequent and for values that are rare.

mod others;
mod plans;
mod rows;
mod values;

use crate::tour::{Step, Tour, Visitor};
use freehold_tests::client::Api;
use plans::{explain, faults, newest};
use shared_db::{
    ids::{OrganizationId, UserId},
    page::PageRequest,
    scope::{Db, Scope, Service},
};
use sqlx::PgConnection;
use std::{collections::BTreeSet, ops::Range};
use web_service::{
    resource::{Everyone, List, Mine, Owner},
    store::{apps, billing, finance, integrations, marketplace, research},
};

/// Rows of a page, and the one after it.
const SORTED_MAX: f64 = 51.0;
/// Rows that the planner may expect to sort where a value, or two conditions together, are rare: to find and sort the few costs less than
/// to go through the order until a page is full.
const SORTED_OF_FEW_MAX: f64 = 500.0;
/// What is compared word by word, since policies keep it from being looked up, leaves as many as the largest page at most.
const SORTED_OF_TEXT_MAX: f64 = 1000.0;

/// Lists that are not explained here, and why. It may only shrink.
const ELSEWHERE: [(&str, &str); 4] = [
    ("ListAgentShares", "reads runtime.agent_organizations; an agent has few"),
    ("ListExecutions", "web/agents/searches explains it"),
    ("ListExecutionSteps", "of one execution, whose steps have a bound"),
    ("ListActionExecutions", "of one execution, whose calls have a bound"),
];

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

impl Reader {
    fn org(self) -> (&'static str, String) {
        ("org_id", format!("'{}'", self.org))
    }

    fn user(self) -> (&'static str, String) {
        ("user_id", format!("'{}'", self.user))
    }
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

/// Explains the plans that a list without conditions has when there is next to nothing in its table, which is when they are made for good.
async fn check_kept<R: List>(db: &Db, reader: Reader, found: &mut Findings)
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
        found.wrong.extend(wrong.iter().map(|it| format!("{} by {order}, kept: {it}", R::NAME)));
    }
}

/// Explains one list in all its orders, with no condition, with each one, and from the second page on.
async fn check<R: List>(tables: &rows::Tables, db: &Db, found: &mut Findings)
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
        Some("Mine") => vec![reader.org(), reader.user()],
        _ => vec![reader.org()],
    };
    for (number, order) in R::ORDERS.iter().enumerate() {
        let send = async |tx: &mut PgConnection, page: &PageRequest| {
            R::list(tx, owner, &R::Filter::default(), number, page).await.unwrap();
        };
        let name = format!("{} by {order}", method(R::NAME));
        let keys = order.split(", ").count();
        let scope = Scope::Tenant(reader.org, Some(reader.user));
        let owners = owners.clone();
        let known = Sent { name: &name, schema: "web", table: R::TABLE, scope, owners, keys };
        check_sent(tables, db, &known, send, found).await;
    }
}

/// The method that lists resources of a kind.
fn method(kind: &str) -> String {
    let mut methods =
        Api::Web.methods().map(|it| (it.parent_service().name().to_owned(), it.name().to_owned()));
    let found = methods
        .find(|(service, name)| *service == format!("{kind}Service") && name.starts_with("List"));
    found.expect("it is listed").1
}

/// What is known of a list before it is sent.
struct Sent<'s> {
    name: &'s str,
    schema: &'s str,
    table: &'s str,
    scope: Scope,
    /// Its first parameters say whose rows are meant: the column and the value of each.
    owners: Vec<(&'static str, String)>,
    /// So many say after which row a page begins, beside its id.
    keys: usize,
}

/// What there is to say when all lists are explained.
#[derive(Default)]
struct Findings {
    wrong: Vec<String>,
    /// The methods, as `ListNotes`.
    explained: BTreeSet<String>,
}

/// A condition with a value.
struct Condition {
    name: String,
    at: usize,
    value: String,
    sorted_max: f64,
}

impl Condition {
    fn put(&self, arguments: &[String]) -> Vec<String> {
        let mut arguments = arguments.to_vec();
        arguments[self.at].clone_from(&self.value);
        arguments
    }
}

impl rows::Tables {
    /// Each condition with each of its values.
    async fn conditions(
        &self,
        sent: &Sent<'_>,
        statement: &plans::Prepared,
        at: Range<usize>,
    ) -> Vec<Condition> {
        let mut all = Vec::new();
        for at in at {
            let words = values::is_of_words(statement, at);
            let values = values::of(self.pool(), sent, statement, at);
            for (called, value) in values.await {
                let name = format!("condition {} {called} {value}", at - sent.owners.len() + 1);
                let sorted_max = match called {
                    _ if words => SORTED_OF_TEXT_MAX,
                    "rare" | "absent" => SORTED_OF_FEW_MAX,
                    _ => SORTED_MAX,
                };
                all.push(Condition { name, at, value, sorted_max });
            }
        }
        all
    }
}

/// Explains the statement that `send` sends, with no condition, with each one, and from the second page on.
async fn check_sent(
    tables: &rows::Tables,
    db: &Db,
    known: &Sent<'_>,
    send: impl AsyncFn(&mut PgConnection, &PageRequest),
    found: &mut Findings,
) {
    let &Sent { name, table, scope, ref owners, keys, .. } = known;
    let mut tx = db.begin_search(scope).await.unwrap();
    send(&mut tx, &PageRequest { size: 50, after: None }).await;
    let statement = newest(&mut tx).await;
    assert!(statement.text.contains(table), "{name} has sent {}", statement.text);
    let count = statement.types.len();
    // Whose they are, the conditions, and then: after which keys, after which id, how many.
    let cursor = count - 2 - keys;
    let mut base: Vec<_> = (0..count).map(|at| statement.neutral(at)).collect();
    for (parameter, (_, owner)) in base.iter_mut().zip(owners) {
        parameter.clone_from(owner);
    }
    "51".clone_into(&mut base[count - 1]);
    let mut tries = vec![(SORTED_MAX, "no condition".to_owned(), base.clone())];
    let conditions = tables.conditions(known, &statement, owners.len()..cursor).await;
    for (number, one) in conditions.iter().enumerate() {
        let with = one.put(&base);
        tries.push((one.sorted_max, one.name.clone(), with.clone()));
        for other in conditions[number + 1..].iter().filter(|it| it.at != one.at) {
            let name = format!("{} and {}", one.name, other.name);
            let sorted_max = one.sorted_max.max(other.sorted_max).max(SORTED_OF_FEW_MAX);
            tries.push((sorted_max, name, other.put(&with)));
        }
    }
    let mut second = base.clone();
    for (value, ty) in second.iter_mut().zip(&statement.types).skip(cursor).take(keys + 1) {
        let after = match ty.as_str() {
            "timestamp with time zone" => "now() - interval '1 day'",
            "uuid" => "'00000000-0000-7000-8000-000000000007'",
            "integer" => "500",
            _ => "'common 5'",
        };
        after.clone_into(value);
    }
    tries.push((SORTED_MAX, "the second page".to_owned(), second));
    for (sorted_max, what, arguments) in tries {
        let plan = explain(&mut tx, &statement, &arguments).await;
        let mut wrong = Vec::new();
        faults(table, sorted_max, &plan, &mut wrong);
        found.wrong.extend(wrong.iter().map(|it| format!("{name}, {what}: {it}")));
    }
    found.explained.insert(name.split(' ').next().unwrap_or_default().to_owned());
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
    let mut found = Findings::default();
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
    let Findings { wrong, explained } = found;
    assert!(wrong.is_empty(), "{} of the lists:\n{}", wrong.len(), wrong.join("\n"));
    let elsewhere = ELSEWHERE.iter().map(|it| it.0.to_owned());
    let known: BTreeSet<_> = explained.into_iter().chain(elsewhere).collect();
    let lists =
        Api::Web.methods().map(|it| it.name().to_owned()).filter(|it| it.starts_with("List"));
    assert_eq!(known, lists.collect());
}
