//! Drift: what differs between a database and `schema.sql`, object by object. Whole tables are told by the contract.

use super::{Finding, Kind};
use crate::snapshot::{Kind as Object, Object as It, Snapshot};
use anyhow::Result;
use sqlx::PgConnection;

/// What differs, each with the statement that takes it back.
pub async fn check(conn: &mut PgConnection) -> Result<Vec<Finding>> {
    let (wanted, there) = (Snapshot::embedded(), Snapshot::take(conn).await?);
    let known = |it: &It| {
        let table = |snapshot: &Snapshot| {
            snapshot.objects.iter().any(|t| t.kind == Object::Table && t.name == it.of)
        };
        it.of.is_empty() || (table(wanted) && table(&there))
    };
    let mut all = Vec::new();
    for it in wanted.objects.iter().filter(|it| known(it)) {
        match there.find(it) {
            // A table that is missing altogether is told by the contract.
            None if it.kind == Object::Table => {}
            None => all.push(finding(
                it,
                "schema.sql has it and the database does not".into(),
                create(it),
            )),
            Some(other) if other.sql != it.sql => {
                let why = format!(
                    "it is {}, and schema.sql says {}",
                    one_line(&other.sql),
                    one_line(&it.sql)
                );
                all.push(finding(it, why, change(it, other)));
            }
            Some(_) => {}
        }
    }
    for it in there.objects.iter().filter(|it| known(it) && it.kind != Object::Table) {
        if wanted.find(it).is_none() {
            all.push(finding(it, "the database has it and schema.sql does not".into(), drop(it)));
        }
    }
    Ok(all)
}

/// The statement that makes a table of `schema.sql`, without its foreign keys' partners.
pub(super) fn create_table(path: &str) -> String {
    let snapshot = Snapshot::embedded();
    let inside: Vec<_> = snapshot
        .parts(path)
        .filter_map(|it| match it.kind {
            Object::Column => Some(format!("{} {}", it.name, it.sql)),
            Object::Constraint => Some(format!("constraint {} {}", it.name, it.sql)),
            Object::Type
            | Object::Function
            | Object::Table
            | Object::Index
            | Object::Trigger
            | Object::View => None,
        })
        .collect();
    let mut statements = vec![format!("create table {path} ({})", inside.join(", "))];
    let others = |it: &&It| matches!(it.kind, Object::Index | Object::Trigger);
    statements.extend(snapshot.parts(path).filter(others).map(|it| it.sql.clone()));
    statements.join("; ")
}

fn finding(it: &It, why: String, mend: String) -> Finding {
    let separator = if it.kind == Object::Column { "." } else { " on " };
    let name = match (it.of.as_str(), it.kind) {
        ("", _) => it.name.clone(),
        (of, Object::Column) => format!("{of}{separator}{}", it.name),
        (of, _) => format!("{}{separator}{of}", it.name),
    };
    Finding::new(Kind::Drift, format!("{} {name}", it.kind.name()), why, mend)
}

fn one_line(sql: &str) -> String {
    sql.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn create(it: &It) -> String {
    let (of, name, sql) = (&it.of, &it.name, &it.sql);
    match it.kind {
        Object::Column => format!("alter table {of} add column {name} {sql}"),
        Object::Constraint => format!("alter table {of} add constraint {name} {sql}"),
        Object::Type => format!("create type {name} as {sql}"),
        Object::View => format!("create view {name} as {sql}"),
        Object::Table | Object::Index | Object::Trigger | Object::Function => sql.clone(),
    }
}

fn drop(it: &It) -> String {
    let (of, name) = (&it.of, &it.name);
    match it.kind {
        Object::Column => format!("alter table {of} drop column if exists {name}"),
        Object::Constraint => format!("alter table {of} drop constraint if exists {name}"),
        Object::Trigger => format!("drop trigger if exists {name} on {of}"),
        Object::Index => {
            let schema = of.split('.').next().unwrap_or_default();
            format!("drop index if exists {schema}.{name}")
        }
        Object::Function => format!("drop routine if exists {name}"),
        Object::Table | Object::View | Object::Type => {
            format!("drop {} if exists {name}", it.kind.name())
        }
    }
}

fn change(wanted: &It, there: &It) -> String {
    match wanted.kind {
        Object::Column => change_column(wanted, there),
        Object::Function => wanted.sql.clone(),
        Object::Type => change_enum(wanted, there),
        // How a table is partitioned can't be changed; that it is durable can.
        Object::Table => format!("alter table {} set logged", wanted.name),
        Object::Constraint | Object::Index | Object::Trigger | Object::View => {
            format!("{}; {}", drop(there), create(wanted))
        }
    }
}

/// `<type>[ default <expression>][ not null]`, as the snapshot writes columns that are not generated.
fn column_parts(sql: &str) -> (&str, Option<&str>, bool) {
    let (rest, not_null) = match sql.strip_suffix(" not null") {
        Some(rest) => (rest, true),
        None => (sql, false),
    };
    match rest.split_once(" default ") {
        Some((kind, default)) => (kind, Some(default), not_null),
        None => (rest, None, not_null),
    }
}

fn change_column(wanted: &It, there: &It) -> String {
    let (kind, default, not_null) = column_parts(&wanted.sql);
    let (old_kind, old_default, old_not_null) = column_parts(&there.sql);
    let name = &wanted.name;
    let mut changes = Vec::new();
    if kind != old_kind {
        // A default of the old type may not fit the new one.
        changes.push(format!("alter column {name} drop default"));
        changes.push(format!("alter column {name} type {kind} using {name}::{kind}"));
    }
    if default != old_default || kind != old_kind {
        changes.push(match default {
            Some(default) => format!("alter column {name} set default {default}"),
            None => format!("alter column {name} drop default"),
        });
    }
    if not_null != old_not_null {
        let verb = if not_null { "set" } else { "drop" };
        changes.push(format!("alter column {name} {verb} not null"));
    }
    format!("alter table {} {}", wanted.of, changes.join(", "))
}

/// Labels can be added to an enum and never taken away.
fn change_enum(wanted: &It, there: &It) -> String {
    let labels = |sql: &str| -> Vec<String> {
        let inside = sql.trim_start_matches("enum (").trim_end_matches(')');
        inside.split(", ").map(str::to_owned).collect()
    };
    let (wanted_labels, there) = (labels(&wanted.sql), labels(&there.sql));
    let missing: Vec<_> = wanted_labels
        .iter()
        .filter(|it| !there.contains(it))
        .map(|it| format!("alter type {} add value {it}", wanted.name))
        .collect();
    if missing.is_empty() {
        let (name, sql) = (&wanted.name, &wanted.sql);
        return format!(
            "alter type {name} rename to old_{}; create type {name} as {sql}",
            name.replace('.', "_")
        );
    }
    missing.join("; ")
}
