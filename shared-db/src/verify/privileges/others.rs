//! Roles that are no service's: one writer per table means that nobody else writes either.

use crate::{
    contract::Principal,
    quote::ident,
    verify::{Finding, Kind, Look},
};
use anyhow::Result;

pub(super) async fn check(look: &mut Look<'_>) -> Result<Vec<Finding>> {
    let mut all = granted(look).await?;
    all.extend(members(look).await?);
    Ok(all)
}

/// Grants to them; those to PUBLIC are told of the services.
async fn granted(look: &mut Look<'_>) -> Result<Vec<Finding>> {
    let mut known = look.restricted();
    known.push(&look.contract.owner);
    let sql = "
        select distinct path, r.rolname::text, r.rolsuper
        from unnest($1::text[]) as t (path)
        join pg_class c on c.oid = to_regclass(path)
        cross join lateral (
            select a.grantee, a.privilege_type from aclexplode(c.relacl) a
            union all
            select a.grantee, a.privilege_type
            from pg_attribute col
            cross join aclexplode(col.attacl) a
            where col.attrelid = c.oid
        ) a
        join pg_roles r on r.oid = a.grantee
        where a.privilege_type <> 'SELECT' and a.grantee <> c.relowner and r.rolname <> all ($2)
        order by 1, 2";
    let rows: Vec<(String, String, bool)> =
        sqlx::query_as(sql).bind(look.paths()).bind(known).fetch_all(&mut *look.conn).await?;
    let finding = |(path, role, _): (String, String, bool)| {
        let mend = format!("revoke all on {path} from {}", ident(&role));
        Finding::new(
            Kind::OtherWriter,
            path,
            format!("{role} may write it, and is no service"),
            mend,
        )
    };
    Ok(rows.into_iter().map(finding).collect())
}

/// Members of the services' roles, and of the predefined role that writes everything. Operators may be members of the owner.
async fn members(look: &mut Look<'_>) -> Result<Vec<Finding>> {
    let mut known = Look::roles();
    known.push(&look.contract.owner);
    let mut powers = look.restricted();
    powers.push("pg_write_all_data");
    let sql = "
        select distinct u.rolname::text, r.rolname::text
        from pg_auth_members m
        join pg_roles u on u.oid = m.member
        join pg_roles r on r.oid = m.roleid
        where r.rolname = any ($1) and u.rolname <> all ($2) and not u.rolsuper
            and pg_has_role(u.oid, r.oid, 'usage')
        order by 1, 2";
    let mut rows: Vec<(String, String)> =
        sqlx::query_as(sql).bind(powers).bind(known).fetch_all(&mut *look.conn).await?;
    // The owner has the platform roles, to write seeds.
    rows.retain(|(member, role)| {
        *member != look.contract.owner
            || !Principal::ALL.iter().any(|it| it.platform && it.role() == role)
    });
    let finding = |(member, role): (String, String)| {
        let why = format!("it writes as {role}, and is no service");
        let mend = format!("revoke {} from {}", ident(&role), ident(&member));
        Finding::new(Kind::OtherWriter, member, why, mend)
    };
    Ok(rows.into_iter().map(finding).collect())
}
