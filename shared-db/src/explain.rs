//! The contract in words: the reference page, and the answer to "who may do what with this table?".

use crate::{
    contract::{Contract, Principal, Table, Verb},
    scope::Service,
};
use std::fmt::Write;

/// The reference page, `shared-db/REFERENCE.md`.
pub fn markdown(contract: &Contract) -> String {
    let mut page = String::from(
        "# The contract\n\n\
        Generated from `ownership.toml` by `shared-db explain --markdown`, and kept true by a test; `./dev prepare` writes it.\n\n\
        Every table has one writer. Both services read everything but the other's secret columns. Rows are seen and written as the\n\
        table's scope says: `org` below is the transaction's organization, `self` its user, `members` the members of its\n\
        organization, `all` every row. Platform roles cross organizations; they are stepped into for one transaction.\n",
    );
    for service in [Service::Web, Service::Runtime] {
        page.push_str(&section(contract, service));
    }
    page.push_str(
        "\nNo role of a service holds TRUNCATE, REFERENCES, TRIGGER or MAINTAIN on any table. `freehold.schema_migrations` and\n\
        `freehold.generated` are the bookkeeping of migrations: all four roles read them, `freehold_owner` writes them.\n\
        `freehold_maintenance` reads and writes no table: it runs the functions that make partitions and remove what is past its\n\
        retention, which act as `freehold_owner`. For these the owner sees the rows of `execution_queue` and sees and removes those of\n\
        what maintenance removes.\n\n\
        What is append-only is erased by a purge alone: each platform role may execute two functions that act as `freehold_owner`, on\n\
        the tables of its own service. For these the owner sees `web.purges`, and sees, removes and, where a table names others,\n\
        changes rows of what is append-only.\n",
    );
    page
}

fn section(contract: &Contract, service: Service) -> String {
    let mut text = format!(
        "\n## `{}`, written by `{}`\n\n| table | scope | {} | notes |\n|---|---|{}---|\n",
        service.schema(),
        service.role(),
        Principal::ALL.map(|it| format!("`{}`", it.role())).join(" | "),
        "---|".repeat(Principal::ALL.len()),
    );
    for table in contract.tables.iter().filter(|it| it.owner == service) {
        let cells = Principal::ALL.map(|it| cell(table, it)).join(" | ");
        writeln!(
            text,
            "| `{}` | {} | {cells} | {} |",
            table.name,
            table.scope.name(),
            notes(table)
        )
        .expect("a String takes it");
    }
    text
}

/// `read org, insert org`
fn cell(table: &Table, principal: Principal) -> String {
    let verbs = Verb::ROWS.into_iter().filter_map(|verb| {
        let rows = table.condition(principal, verb)?.word();
        Some(format!("{} {rows}", verb.sql()))
    });
    verbs.collect::<Vec<_>>().join(", ")
}

fn notes(table: &Table) -> String {
    let mut notes = Vec::new();
    if table.append_only {
        notes.push("append-only".to_owned());
    }
    if table.outside {
        notes.push("stands for what is outside of the database".to_owned());
    }
    let names =
        |it: &[String]| it.iter().map(|it| format!("`{it}`")).collect::<Vec<_>>().join(", ");
    if !table.secret.is_empty() {
        notes.push(format!("secret from the other service: {}", names(&table.secret)));
    }
    if !table.cross_tenant.is_empty() {
        notes.push(format!("may name another organization: {}", names(&table.cross_tenant)));
    }
    for (whom, columns) in [("users", &table.users), ("organizations", &table.organizations)] {
        if !columns.is_empty() {
            notes.push(format!("names {whom}: {}", names(columns)));
        }
    }
    if let Some(retention) = table.retention {
        let who = if table.maintained { "; removed by maintenance" } else { "" };
        notes.push(format!("kept {retention}{who}"));
    }
    notes.join("; ")
}

/// Who may do what with one table, and by which policy.
pub fn table(table: &Table) -> String {
    let mut text = format!("{}: {}\n", table.path(), table.comment());
    for principal in Principal::ALL {
        let role = principal.role();
        for verb in Verb::ROWS {
            let word = verb.sql();
            let line = match table.condition(principal, verb) {
                None => "no privilege".to_owned(),
                Some(condition) => {
                    format!(
                        "{}, by policy {role}_{word}: {}",
                        condition.sentence(),
                        condition.sql()
                    )
                }
            };
            writeln!(text, "  {role:<24}{word:<8}{line}").expect("a String takes it");
        }
        let hidden: Vec<_> =
            table.secret.iter().filter(|it| !table.may_read(principal, it)).cloned().collect();
        if !hidden.is_empty() {
            writeln!(text, "  {role:<24}{:<8}not of {}", "select", hidden.join(", "))
                .expect("a String takes it");
        }
    }
    text
}
