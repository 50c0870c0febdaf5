//! Grants, default privileges, comments and triggers, generated from the contract.

use crate::{
    contract::{Contract, OWN_SCHEMA, Principal, Table, Verb},
    quote,
    scope::Service,
};
use std::collections::BTreeMap;

/// The columns of every table, by schema and name, in their order.
pub type Columns = BTreeMap<(String, String), Vec<String>>;

/// The trigger that keeps `updated_at`, and its function.
pub const TOUCH_TRIGGER: &str = "touch_updated_at";
pub const TOUCH_FUNCTION: &str = "freehold.touch_updated_at()";

/// What the maintenance login may do: each acts as the owner.
pub const MAINTENANCE_FUNCTIONS: [&str; 3] = [
    "freehold.make_partitions(interval,integer,boolean)",
    "freehold.drop_partitions(text,interval,integer,boolean)",
    "freehold.drop_rows(text,interval,integer,boolean)",
];

/// What the platform roles of both services may execute with their own rights: the steps of a purge.
pub const PURGE_STEPS: [&str; 4] = [
    "freehold.has_rows(regclass,text,uuid)",
    "freehold.primary_key(regclass)",
    "freehold.erase_rows(regclass,text,uuid,integer)",
    "freehold.replace_ids(regclass,text,uuid,text[],integer)",
];

/// What the platform role of a service may execute as the owner: a purge of what is append-only among its own tables.
pub fn purge_functions(service: Service) -> [&'static str; 2] {
    match service {
        Service::Web => [
            "freehold.purge_web_rows(text,uuid,integer)",
            "freehold.purge_web_ids(text,text,uuid,text[],integer)",
        ],
        Service::Runtime => [
            "freehold.purge_runtime_rows(text,uuid,integer)",
            "freehold.purge_runtime_ids(text,text,uuid,text[],integer)",
        ],
    }
}

/// The schemas that the boundary governs.
pub fn schemas() -> [&'static str; 3] {
    [Service::Web.schema(), Service::Runtime.schema(), OWN_SCHEMA]
}

/// Everything but policies, as statements that may run again and again.
pub fn statements(contract: &Contract, columns: &Columns) -> Vec<String> {
    let mut all = vec![default_privileges(contract)];
    all.extend(schemas().into_iter().flat_map(schema));
    all.extend(maintenance(contract));
    all.extend([Service::Web, Service::Runtime].map(purge));
    for table in &contract.tables {
        let of_table = columns.get(&(table.schema.to_owned(), table.name.clone()));
        let of_table = of_table.map_or(&[][..], Vec::as_slice);
        all.push(revoke_all(&table.path()));
        all.extend(Principal::ALL.into_iter().flat_map(|it| grant(table, it, of_table)));
        all.push(comment(table));
        if of_table.iter().any(|it| it == "updated_at") {
            all.push(touch_trigger(&table.path()));
        }
    }
    all
}

/// PostgreSQL lets PUBLIC execute every new function; not here. New tables get nothing until the contract names them.
pub fn default_privileges(contract: &Contract) -> String {
    let owner = quote::ident(&contract.owner);
    format!("alter default privileges for role {owner} revoke execute on functions from public")
}

fn schema(name: &'static str) -> Vec<String> {
    let mut all = vec![
        format!("revoke all on schema {name} from public, {}", roles()),
        format!("revoke all on all functions in schema {name} from public, {}", roles()),
        format!("revoke all on all sequences in schema {name} from public, {}", roles()),
        format!("grant usage on schema {name} to {}", roles()),
    ];
    if name == OWN_SCHEMA {
        all.push(format!("revoke all on all tables in schema {name} from public, {}", roles()));
        all.push(format!("grant select on all tables in schema {name} to {}", roles()));
    }
    all
}

/// Nothing but its functions, which are in a schema that it has to be let into.
fn maintenance(contract: &Contract) -> Vec<String> {
    let role = quote::ident(&contract.maintenance);
    let mut all = Vec::new();
    for schema in schemas() {
        all.push(format!("revoke all on schema {schema} from {role}"));
        for objects in ["tables", "sequences", "functions"] {
            all.push(format!("revoke all on all {objects} in schema {schema} from {role}"));
        }
    }
    all.push(format!("grant usage on schema {OWN_SCHEMA} to {role}"));
    all.push(format!("grant execute on function {} to {role}", MAINTENANCE_FUNCTIONS.join(", ")));
    all
}

fn purge(service: Service) -> String {
    let functions: Vec<_> = PURGE_STEPS.into_iter().chain(purge_functions(service)).collect();
    format!("grant execute on function {} to {}", functions.join(", "), service.platform_role())
}

fn roles() -> String {
    Principal::ALL.map(Principal::role).join(", ")
}

/// Takes away what was granted on a table or on columns of it.
pub fn revoke_all(path: &str) -> String {
    format!("revoke all on {path} from public, {}", roles())
}

/// What `principal` gets on `table`: one statement for whole rows, one for the columns that it may read if not all.
pub fn grant(table: &Table, principal: Principal, columns: &[String]) -> Vec<String> {
    let (path, role) = (table.path(), principal.role());
    let mut all = Vec::new();
    let hides = table.hides_from(principal);
    let whole: Vec<_> = Verb::ALL
        .into_iter()
        .filter(|it| table.may(principal, *it) && !(hides && *it == Verb::Select))
        .map(Verb::sql)
        .collect();
    if !whole.is_empty() {
        all.push(format!("grant {} on {path} to {role}", whole.join(", ")));
    }
    let visible: Vec<_> = columns
        .iter()
        .filter(|it| table.may_read(principal, it))
        .map(|it| quote::ident(it))
        .collect();
    if hides && !visible.is_empty() {
        all.push(format!("grant select ({}) on {path} to {role}", visible.join(", ")));
    }
    all
}

fn comment(table: &Table) -> String {
    format!("comment on table {} is {}", table.path(), quote::literal(&table.comment()))
}

/// The trigger that keeps `updated_at` of one table. A statement that says the time itself spares the call of the function for each row.
pub fn touch_trigger(path: &str) -> String {
    format!(
        "create or replace trigger {TOUCH_TRIGGER} before update on {path} for each row \
         when (new.updated_at is distinct from now()) execute function {TOUCH_FUNCTION}"
    )
}
