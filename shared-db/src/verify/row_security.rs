//! Row-level security: on, forced, and with exactly the policies that the contract generates.

use super::{Finding, Kind, Look};
use crate::{
    policies::{self, Policy},
    quote::ident,
};
use anyhow::Result;

pub(super) async fn check(look: &mut Look<'_>) -> Result<Vec<Finding>> {
    let mut all = switches(look).await?;
    all.extend(policies(look).await?);
    Ok(all)
}

async fn switches(look: &mut Look<'_>) -> Result<Vec<Finding>> {
    let sql = "
        select path, c.relrowsecurity, c.relforcerowsecurity
        from unnest($1::text[]) as it (path)
        join pg_class c on c.oid = to_regclass(path)
        where not c.relrowsecurity or not c.relforcerowsecurity";
    let rows: Vec<(String, bool, bool)> =
        sqlx::query_as(sql).bind(look.paths()).fetch_all(&mut *look.conn).await?;
    let mut all = Vec::new();
    for (path, on, forced) in rows {
        if !on {
            let why = "its policies say who sees what, and nobody asks them";
            let mend = format!("alter table {path} enable row level security");
            all.push(Finding::new(Kind::RowSecurityOff, &path, why, mend));
        }
        if !forced {
            let why = "what runs as its owner passes its policies";
            let mend = format!("alter table {path} force row level security");
            all.push(Finding::new(Kind::RowSecurityNotForced, &path, why, mend));
        }
    }
    Ok(all)
}

/// A policy as the catalog has it.
#[derive(sqlx::FromRow)]
struct Stored {
    path: String,
    name: String,
    permissive: bool,
    roles: Vec<String>,
    verb: String,
    using: Option<String>,
    check: Option<String>,
}

impl Stored {
    fn is(&self, wanted: &Policy) -> bool {
        let condition = wanted.condition.stored();
        let same = |stored: &Option<String>, wanted: bool| {
            let stored =
                stored.as_deref().map(|it| it.split_whitespace().collect::<Vec<_>>().join(" "));
            stored.as_ref() == wanted.then_some(&condition)
        };
        self.permissive
            && self.roles == [wanted.role.as_str()]
            && self.verb == wanted.verb.sql()
            && same(&self.using, wanted.has_using())
            && same(&self.check, wanted.has_check())
    }

    fn drop(&self) -> String {
        format!("drop policy {} on {}", ident(&self.name), self.path)
    }
}

async fn policies(look: &mut Look<'_>) -> Result<Vec<Finding>> {
    let sql = r#"
        select
            path,
            p.polname::text as name,
            p.polpermissive as permissive,
            array(
                select coalesce(r.rolname::text, 'public')
                from unnest(p.polroles) as it (oid)
                left join pg_roles r on r.oid = it.oid
                order by 1
            ) as roles,
            case p.polcmd
                when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all'
            end as verb,
            pg_get_expr(p.polqual, p.polrelid) as "using",
            pg_get_expr(p.polwithcheck, p.polrelid) as "check"
        from unnest($1::text[]) as it (path)
        join pg_policy p on p.polrelid = to_regclass(path)
        order by 1, 2"#;
    let stored: Vec<Stored> =
        sqlx::query_as(sql).bind(look.paths()).fetch_all(&mut *look.conn).await?;
    let sql = "
        select path
        from unnest($1::text[]) as it (path)
        where to_regclass(path) is not null";
    let there: Vec<String> =
        sqlx::query_scalar(sql).bind(look.paths()).fetch_all(&mut *look.conn).await?;
    let mut all = Vec::new();
    for table in look.contract.tables.iter().filter(|it| there.contains(&it.path())) {
        let wanted = policies::of_table(look.contract, table);
        for it in &wanted {
            let object = format!("{} on {}", it.name, it.table);
            match stored.iter().find(|s| s.path == it.table && s.name == it.name) {
                None => {
                    let why = format!("{} may {} it, and sees no row", it.role, it.verb.sql());
                    all.push(Finding::new(Kind::PolicyMissing, object, why, it.create()));
                }
                Some(stored) if !stored.is(it) => {
                    let why = format!(
                        "the contract lets {} {} {}, and the policy says {}",
                        it.role,
                        it.verb.sql(),
                        it.condition.sentence(),
                        said(stored)
                    );
                    let mend = format!("{}; {}", stored.drop(), it.create());
                    all.push(Finding::new(Kind::PolicyChanged, object, why, mend));
                }
                Some(_) => {}
            }
        }
        let path = table.path();
        let extra = |it: &&Stored| it.path == path && !wanted.iter().any(|w| w.name == it.name);
        for it in stored.iter().filter(extra) {
            let why = format!("permissive policies add up, and this one says {}", said(it));
            all.push(Finding::new(
                Kind::PolicyExtra,
                format!("{} on {path}", it.name),
                why,
                it.drop(),
            ));
        }
    }
    Ok(all)
}

fn said(it: &Stored) -> String {
    let condition = it.using.as_deref().or(it.check.as_deref()).unwrap_or("nothing");
    let condition = condition.split_whitespace().collect::<Vec<_>>().join(" ");
    format!("{} for {} to {}", condition, it.verb, it.roles.join(", "))
}
