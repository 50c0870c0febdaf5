//! What has to be done to which table, derived from the contract (scopes, `cross_tenant`, `users`, `organizations`) and from the foreign keys of the
//! catalog. A table that somebody adds is in the plan from then on.

use crate::{
    contract::{Contract, RowScope, Table},
    enums::PurgeSubject,
    error::Result,
    quote::ident,
    scope::Service,
};
use sqlx::PgConnection;
use std::collections::HashSet;

/// One table, and what is done to it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Step {
    /// `web.activities`
    pub table: String,
    pub what: What,
    /// The platform role may not do it by itself.
    pub append_only: bool,
    /// Rows of the table refer to others of it.
    pub refers_to_itself: bool,
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum What {
    /// Rows that fulfil a condition are erased; `$1` in it is the subject.
    Rows(String),
    /// Rows that fulfil a condition are somebody else's to erase, and waited for.
    Awaited(String),
    /// The subject is taken out of a column.
    Ids(String),
}

impl Step {
    /// Its name in what says how far a purge has come.
    pub(super) fn key(&self) -> String {
        match &self.what {
            What::Rows(condition) | What::Awaited(condition) => {
                format!("{} where {condition}", self.table)
            }
            What::Ids(column) => format!("{}.{column}", self.table),
        }
    }
}

/// A foreign key.
#[derive(Clone, Debug)]
struct Key {
    from: String,
    to: String,
    columns: Vec<String>,
    target_columns: Vec<String>,
    /// The first column that is not the organization's may be null.
    nullable: bool,
    /// The code of `pg_constraint`: `c` is CASCADE, `n` SET NULL, `d` SET DEFAULT.
    on_delete: String,
}

impl Key {
    /// Its column that refers to `column` of the other table.
    fn column_for(&self, column: &str) -> Option<&str> {
        let at = self.target_columns.iter().position(|it| it == column)?;
        self.columns.get(at).map(String::as_str)
    }

    /// The rows go when what they refer to goes; otherwise they stay without it.
    fn takes_rows(&self) -> bool {
        match self.on_delete.as_str() {
            "c" => true,
            "n" | "d" => false,
            _ => !self.nullable,
        }
    }
}

/// The steps that one service takes, in their order.
pub async fn plan(
    conn: &mut PgConnection,
    owner: Service,
    subject: PurgeSubject,
) -> Result<Vec<Step>> {
    let keys = keys(conn).await?;
    Ok(Planner { contract: Contract::embedded(), keys }.plan(owner, subject))
}

async fn keys(conn: &mut PgConnection) -> Result<Vec<Key>> {
    let keys = sqlx::query_as!(
        Key,
        r#"select
            c.relnamespace::regnamespace::text || '.' || quote_ident(c.relname) as "from!",
            d.relnamespace::regnamespace::text || '.' || quote_ident(d.relname) as "to!",
            array(
                select a.attname::text
                from unnest(k.conkey) with ordinality as it (number, place)
                join pg_catalog.pg_attribute a on a.attrelid = k.conrelid and a.attnum = it.number
                order by place
            ) as "columns!",
            array(
                select a.attname::text
                from unnest(k.confkey) with ordinality as it (number, place)
                join pg_catalog.pg_attribute a on a.attrelid = k.confrelid and a.attnum = it.number
                order by place
            ) as "target_columns!",
            not exists (
                select 1
                from pg_catalog.pg_attribute a
                where a.attrelid = k.conrelid and a.attnum = any (k.conkey) and a.attname <> 'org_id' and a.attnotnull
            ) as "nullable!",
            k.confdeltype::text as "on_delete!"
        from pg_catalog.pg_constraint k
        join pg_catalog.pg_class c on c.oid = k.conrelid
        join pg_catalog.pg_class d on d.oid = k.confrelid
        where k.contype = 'f' and k.conparentid = 0
        order by 1, k.conname"#,
    )
    .fetch_all(conn)
    .await?;
    Ok(keys)
}

struct Planner<'a> {
    contract: &'a Contract,
    keys: Vec<Key>,
}

impl<'a> Planner<'a> {
    fn plan(&self, owner: Service, subject: PurgeSubject) -> Vec<Step> {
        let steps = match subject {
            PurgeSubject::Organization => self.of_organization(owner),
            PurgeSubject::User => self.of_user(owner),
        };
        let mut seen = HashSet::new();
        steps.into_iter().filter(|it| seen.insert(it.clone())).collect()
    }

    fn step(&self, table: &Table, what: What) -> Step {
        let path = table.path();
        let refers_to_itself = self.keys.iter().any(|it| it.from == path && it.to == path);
        Step { table: path, what, append_only: table.append_only, refers_to_itself }
    }

    fn kept(&self, table: &Table, columns: &[String]) -> Vec<Step> {
        columns.iter().map(|it| self.step(table, What::Ids(it.clone()))).collect()
    }

    fn table(&self, path: &str) -> Option<&'a Table> {
        self.contract.tables.iter().find(|it| it.path() == path)
    }

    /// The rows of the organization; then what others keep of it; then the organization itself.
    fn of_organization(&self, owner: Service) -> Vec<Step> {
        let (mut rows, mut ids, mut itself) = (Vec::new(), Vec::new(), Vec::new());
        for table in self.children_first(owner) {
            let path = table.path();
            for column in &table.cross_tenant {
                let follows =
                    |it: &Key| it.from == path && it.columns.contains(column) && it.takes_rows();
                if self.keys.iter().any(follows) {
                    rows.push(self.step(table, is(column)));
                } else {
                    ids.push(self.step(table, What::Ids(column.clone())));
                }
            }
            ids.extend(self.kept(table, &table.organizations));
            if table.scope == RowScope::Organization {
                itself.push(self.step(table, is("id")));
            } else if table.outside {
                rows.push(self.step(table, What::Awaited("org_id = $1".to_owned())));
            } else if table.scope.has_org_id() {
                rows.push(self.step(table, is("org_id")));
            } else {
                let (more_rows, more_ids) = self.naming(table, RowScope::Organization);
                rows.extend(more_rows);
                ids.extend(more_ids);
            }
        }
        rows.into_iter().chain(ids).chain(itself).collect()
    }

    /// What goes with the user, and what goes with that; then what keeps an id of the user; then the user.
    fn of_user(&self, owner: Service) -> Vec<Step> {
        let (mut rows, mut ids, mut itself) = (Vec::new(), Vec::new(), Vec::new());
        for table in &self.contract.tables {
            let (naming, kept) = self.naming(table, RowScope::User);
            for step in naming {
                self.with_children(table, &step, &mut Vec::new(), &mut rows);
            }
            ids.extend(kept);
            ids.extend(self.kept(table, &table.users));
            if table.scope == RowScope::User {
                itself.push(self.step(table, is("id")));
            }
        }
        let own = |it: &Step| self.table(&it.table).is_some_and(|it| it.owner == owner);
        rows.into_iter().chain(ids).chain(itself).filter(own).collect()
    }

    /// What the foreign keys of `table` to the tables of `scope` ask for: rows that go, and columns that are emptied.
    fn naming(&self, table: &Table, scope: RowScope) -> (Vec<Step>, Vec<Step>) {
        let path = table.path();
        let (mut rows, mut ids) = (Vec::new(), Vec::new());
        for key in self.keys.iter().filter(|it| it.from == path && it.to != path) {
            if self.table(&key.to).is_none_or(|it| it.scope != scope) {
                continue;
            }
            let Some(column) = key.column_for("id") else { continue };
            if key.takes_rows() {
                rows.push(self.step(table, is(column)));
            } else {
                ids.push(self.step(table, What::Ids(column.to_owned())));
            }
        }
        (rows, ids)
    }

    /// A step that erases rows, after those for what refers to them. Nobody but its owner erases from what is append-only, which
    /// goes by its foreign key, with its parent and uncounted.
    fn with_children(
        &self,
        table: &Table,
        step: &Step,
        above: &mut Vec<String>,
        steps: &mut Vec<Step>,
    ) {
        let What::Rows(condition) = &step.what else { return };
        if table.append_only || above.contains(&step.table) {
            return;
        }
        above.push(step.table.clone());
        for key in self.keys.iter().filter(|it| it.to == step.table && it.takes_rows()) {
            let Some(child) = self.table(&key.from) else { continue };
            let list =
                |names: &[String]| names.iter().map(|it| ident(it)).collect::<Vec<_>>().join(", ");
            let (columns, target_columns) = (list(&key.columns), list(&key.target_columns));
            let of_these = format!(
                "({columns}) in (select {target_columns} from {} where {condition})",
                step.table
            );
            self.with_children(child, &self.step(child, What::Rows(of_these)), above, steps);
        }
        above.pop();
        steps.push(step.clone());
    }

    /// The tables of a service, each after those that refer to it. A circle is broken where rows stay when what they refer to goes;
    /// where it can not be, a foreign key refuses and the step is tried again when the others are done.
    fn children_first(&self, owner: Service) -> Vec<&'a Table> {
        let mut left: Vec<_> = self.contract.tables.iter().filter(|it| it.owner == owner).collect();
        let mut ordered = Vec::new();
        while !left.is_empty() {
            let paths: HashSet<_> = left.iter().map(|it| it.path()).collect();
            let free = |table: &Table, strict: bool| {
                let path = table.path();
                !self.keys.iter().any(|it| {
                    it.to == path
                        && it.from != path
                        && paths.contains(&it.from)
                        && (strict || it.takes_rows())
                })
            };
            let at = left.iter().position(|it| free(it, true));
            let at = at.or_else(|| left.iter().position(|it| free(it, false)));
            ordered.push(left.remove(at.unwrap_or_default()));
        }
        ordered
    }
}

fn is(column: &str) -> What {
    What::Rows(format!("{} = $1", ident(column)))
}

#[cfg(test)]
mod tests;
