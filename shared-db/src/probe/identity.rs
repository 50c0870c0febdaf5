//! Who the service is to the database, and whether the schema is the one that it was built for.

use super::Finding;
use crate::{error::Result, scope::Service};
use sqlx::{PgConnection, Row};

/// SQLSTATEs of a schema or table that is not there, or not for this role.
const NOT_THERE: [&str; 3] = ["42P01", "3F000", "42501"];

pub(super) async fn version(conn: &mut PgConnection, wanted: i64) -> Result<Vec<Finding>> {
    let sql = "
        select max(version)
        from freehold.schema_migrations";
    let object = "freehold.schema_migrations";
    let there: Option<i64> = match sqlx::query_scalar(sql).fetch_one(conn).await {
        Ok(there) => there,
        Err(sqlx::Error::Database(it))
            if it.code().is_some_and(|it| NOT_THERE.contains(&it.as_ref())) =>
        {
            let sentence =
                format!("the database is not migrated for this role ({it}); run shared-db migrate");
            return Ok(vec![Finding::new(object, sentence)]);
        }
        Err(error) => return Err(error.into()),
    };
    let there = there.unwrap_or_default();
    if there == wanted {
        return Ok(Vec::new());
    }
    let mend = if there < wanted { "run shared-db migrate" } else { "deploy a newer build" };
    let sentence = format!("the schema has version {there} and this build needs {wanted}; {mend}");
    Ok(vec![Finding::new(object, sentence)])
}

/// The login role is the service's own, and can become nothing but its platform role.
pub(super) async fn role(conn: &mut PgConnection, service: Service) -> Result<Vec<Finding>> {
    let sql = "
        select
            u.rolname::text as name,
            u.rolsuper, u.rolbypassrls, u.rolcreaterole, u.rolcreatedb, u.rolreplication,
            array(
                select r.rolname::text
                from pg_catalog.pg_roles r
                where pg_has_role(u.oid, r.oid, 'member') and r.rolname not in (u.rolname, $1)
                order by 1
            ) as memberships,
            exists (
                select 1
                from pg_catalog.pg_roles r
                where r.rolname = $1 and pg_has_role(u.oid, r.oid, 'usage')
            ) as inherits
        from pg_catalog.pg_roles u
        where u.rolname = session_user";
    let row = sqlx::query(sql).bind(service.platform_role()).fetch_one(conn).await?;
    let name: String = row.try_get("name")?;
    let mut findings = Vec::new();
    let mut find = |sentence: String| findings.push(Finding::new(&name, sentence));
    if name != service.role() {
        find(format!("{} has to connect as {}", service.name(), service.role()));
    }
    if row.try_get("rolsuper")? {
        find("it is a superuser, for whom no boundary holds; connect as another role".to_owned());
        // Everything else follows from it.
        return Ok(findings);
    }
    for (column, attribute) in [
        ("rolbypassrls", "bypassrls"),
        ("rolcreaterole", "createrole"),
        ("rolcreatedb", "createdb"),
        ("rolreplication", "replication"),
    ] {
        if row.try_get(column)? {
            find(format!("it has {attribute}; run: alter role {name} no{attribute}"));
        }
    }
    for role in row.try_get::<Vec<String>, _>("memberships")? {
        find(format!("it is a member of {role}; run: revoke {role} from {name}"));
    }
    if row.try_get("inherits")? {
        let platform = service.platform_role();
        find(format!(
            "it inherits {platform}, so that every statement crosses organizations; run shared-db verify"
        ));
    }
    Ok(findings)
}
