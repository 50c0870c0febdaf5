//! How two hired employees stand to each other: one leads the other, or they are peers.

use crate::{
    resource::{Rules, resource},
    store::enums::ConnectionKind,
};
use shared_db::{
    error::{Error, Reason, Result},
    ids::{EmployeeConnectionId, HiredEmployeeId, OrganizationId, UserId},
};
use sqlx::PgConnection;

resource! {
    /// How two hired employees stand to each other: one leads the other, or they are peers.
    EmployeeConnection in web.employee_connections, tenant, rules {
        #[fixed] from_employee_id: HiredEmployeeId,
        #[fixed] to_employee_id: HiredEmployeeId,
        #[fixed] kind: ConnectionKind,
        description: String,
        #[creator] created_by: Option<UserId>,
    }
    filters {
        employee_id: HiredEmployeeId = "(from_employee_id = ? or to_employee_id = ?)",
        kind: ConnectionKind = "kind = ?",
    }
}

impl Rules for EmployeeConnection {
    async fn creating(
        conn: &mut PgConnection,
        org: OrganizationId,
        new: &mut NewEmployeeConnection,
    ) -> Result<()> {
        if new.from_employee_id == new.to_employee_id {
            let problem = "must be another employee than from_employee_id";
            return Err(Error::invalid("employee_connection.to_employee_id", problem));
        }
        take_turns(conn, org).await?;
        match new.kind {
            ConnectionKind::Vertical => no_circle(conn, org, new).await,
            ConnectionKind::Horizontal => not_there_yet(conn, org, new).await,
        }
    }
}

/// An organization makes one connection after the other: two that are right by themselves may not be together.
async fn take_turns(conn: &mut PgConnection, org: OrganizationId) -> Result<()> {
    sqlx::query!(
        "select pg_advisory_xact_lock(hashtextextended('web.employee_connections ' || $1::uuid::text, 0))",
        org.0,
    )
    .execute(conn)
    .await?;
    Ok(())
}

/// Nobody leads who leads them, over any number of others.
async fn no_circle(
    conn: &mut PgConnection,
    org: OrganizationId,
    new: &NewEmployeeConnection,
) -> Result<()> {
    let circle = sqlx::query_scalar!(
        r#"with recursive led as (
             select $2::uuid as id
             union
             select c.to_employee_id
             from led
             join web.employee_connections as c
                 on c.org_id = $1 and c.from_employee_id = led.id and c.kind = 'vertical'
         )
         select exists (select from led where id = $3) as "circle!""#,
        org.0,
        new.to_employee_id.0,
        new.from_employee_id.0,
    )
    .fetch_one(conn)
    .await?;
    if circle {
        let subject = format!("hired_employee/{}", new.from_employee_id);
        let problem = "is led, over others perhaps, by the one that it would lead";
        return Err(Error::precondition(Reason::TreeCycle, subject, problem));
    }
    Ok(())
}

/// Peers are connected once, whoever is named first.
async fn not_there_yet(
    conn: &mut PgConnection,
    org: OrganizationId,
    new: &NewEmployeeConnection,
) -> Result<()> {
    let there = sqlx::query_scalar!(
        r#"select exists (
             select from web.employee_connections
             where org_id = $1 and from_employee_id = $2 and to_employee_id = $3
         ) as "there!""#,
        org.0,
        new.to_employee_id.0,
        new.from_employee_id.0,
    )
    .fetch_one(conn)
    .await?;
    if there {
        return Err(Error::AlreadyExists {
            resource: "employee_connection",
            key: "to_employee_id",
        });
    }
    Ok(())
}
