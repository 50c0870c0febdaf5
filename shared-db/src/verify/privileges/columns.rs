//! Privileges on single columns, which lists of table privileges do not show.

use crate::{
    contract::{Principal, Verb},
    quote::ident,
    verify::{Finding, Kind, Look},
};
use anyhow::Result;

#[derive(sqlx::FromRow)]
struct Column {
    path: String,
    role: String,
    name: String,
    verb: String,
    held: bool,
}

pub(super) async fn check(look: &mut Look<'_>) -> Result<Vec<Finding>> {
    let sql = "
        select
            path, role, a.attname::text as name, verb,
            has_column_privilege(r.oid, c.oid, a.attnum, verb) as held
        from unnest($1::text[]) as t (path)
        join pg_class c on c.oid = to_regclass(path)
        join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        cross join unnest($2::text[]) as p (role)
        join pg_roles r on r.rolname = role
        cross join unnest(array['select', 'insert', 'update', 'references']) as v (verb)
        -- What holds for the whole table is told there.
        where not has_table_privilege(r.oid, c.oid, verb)
            and (verb = 'select' or has_column_privilege(r.oid, c.oid, a.attnum, verb))
        order by path, role, a.attnum, verb";
    let columns: Vec<Column> = sqlx::query_as(sql)
        .bind(look.paths())
        .bind(Look::roles())
        .fetch_all(&mut *look.conn)
        .await?;
    let mut all = Vec::new();
    for it in &columns {
        let Some(table) = look.table(&it.path) else { continue };
        let Some(principal) = Principal::ALL.into_iter().find(|p| p.role() == it.role) else {
            continue;
        };
        let reads = it.verb == Verb::Select.sql();
        let may = reads && table.hides_from(principal) && table.may_read(principal, &it.name);
        let object = format!("{}.{}", it.path, it.name);
        let (role, verb, path) = (&it.role, &it.verb, &it.path);
        let column = ident(&it.name);
        let revoke = format!("revoke {verb} ({column}) on {path} from public, {role}");
        match (it.held, may) {
            (true, false) if reads => {
                // Where a whole row should be readable, that it is not is told of the table.
                if table.hides_from(principal) {
                    let why = format!("{role} can read it, and the contract calls it secret");
                    all.push(Finding::new(Kind::SecretReadable, object, why, revoke));
                }
            }
            (true, false) => {
                let why = format!("{role} may {verb} it, and the contract does not say so");
                all.push(Finding::new(Kind::ColumnPrivilege, object, why, revoke));
            }
            (false, true) => {
                let mend = format!("grant {verb} ({column}) on {path} to {role}");
                let why = format!("{role} has to {verb} it");
                all.push(Finding::new(Kind::PrivilegeMissing, object, why, mend));
            }
            (true, true) | (false, false) => {}
        }
    }
    Ok(all)
}
