//! Default privileges: what would be given away with the next table or function that somebody makes.

use crate::{
    grants,
    quote::ident,
    verify::{Finding, Kind, Look},
};
use anyhow::Result;

#[derive(sqlx::FromRow)]
struct Default {
    grantor: String,
    schema: Option<String>,
    objects: String,
    grantee: String,
}

pub(super) async fn check(look: &mut Look<'_>) -> Result<Vec<Finding>> {
    // PUBLIC may use types and execute functions unless told otherwise; for functions of the owner it is told otherwise.
    let sql = "
        select distinct
            g.rolname::text as grantor,
            n.nspname::text as schema,
            case d.defaclobjtype
                when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions'
                when 'T' then 'types' when 'n' then 'schemas' else 'large objects'
            end as objects,
            coalesce(r.rolname::text, 'public') as grantee
        from pg_default_acl d
        join pg_roles g on g.oid = d.defaclrole
        left join pg_namespace n on n.oid = d.defaclnamespace
        cross join aclexplode(d.defaclacl) a
        left join pg_roles r on r.oid = a.grantee
        where a.grantee <> d.defaclrole
            and (r.rolname = any ($1) or a.grantee = 0)
            and not (d.defaclobjtype = 'T' and a.grantee = 0)
            and not (d.defaclobjtype = 'f' and a.grantee = 0 and g.rolname <> $2)
        order by 1, 2, 3, 4";
    let rows: Vec<Default> = sqlx::query_as(sql)
        .bind(look.restricted())
        .bind(&look.contract.owner)
        .fetch_all(&mut *look.conn)
        .await?;
    let finding = |it: Default| {
        let place =
            it.schema.as_deref().map_or(String::new(), |it| format!(" in schema {}", ident(it)));
        let mend = format!(
            "alter default privileges for role {}{place} revoke all on {} from {}",
            ident(&it.grantor),
            it.objects,
            ident(&it.grantee)
        );
        let why = format!("every new one would be given to {}", it.grantee);
        let object = format!("{} of {}{place}", it.objects, it.grantor);
        Finding::new(Kind::DefaultPrivilege, object, why, mend)
    };
    let mut all: Vec<_> = rows.into_iter().map(finding).collect();
    let sql = "
        select exists (
            select 1
            from pg_default_acl d
            join pg_roles g on g.oid = d.defaclrole
            where g.rolname = $1 and d.defaclnamespace = 0 and d.defaclobjtype = 'f'
        )";
    let restricted: bool =
        sqlx::query_scalar(sql).bind(&look.contract.owner).fetch_one(&mut *look.conn).await?;
    if !restricted {
        let object = format!("functions of {}", look.contract.owner);
        let why = "PUBLIC could execute every new one, which is PostgreSQL's default";
        all.push(Finding::new(
            Kind::DefaultPrivilege,
            object,
            why,
            grants::default_privileges(look.contract),
        ));
    }
    Ok(all)
}
