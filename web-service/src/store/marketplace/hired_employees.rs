//! A virtual employee that the organization has hired, with a name of its own; version, schema and price are as they were when it was hired.

use crate::{
    configs,
    resource::{Decimal, Hold, Object, Pinned, Rules, not_found, refused, resource},
    store::{enums::HiredEmployeeStatus, marketplace::virtual_employees::VirtualEmployee},
};
use shared_db::{
    error::{Error, Reason, Result},
    ids::{AgentId, HiredEmployeeId, OrganizationId, UserId, VirtualEmployeeId},
};
use sqlx::PgConnection;

resource! {
    /// A virtual employee that the organization has hired, with a name of its own; version, schema and price are as they were when it was hired.
    HiredEmployee in web.hired_employees, tenant, statements, hold, rules, verbs(get, list, update, delete) {
        #[given] virtual_employee_id: VirtualEmployeeId,
        name: String,
        email: Option<String>,
        status: HiredEmployeeStatus,
        config: Object,
        shared: bool,
        agent_id: Option<AgentId>,
        #[given] version: i32,
        #[given] config_schema: Object,
        #[given] price_usd_monthly: Decimal,
        #[creator] created_by: Option<UserId>,
    }
    filters {
        virtual_employee_id: VirtualEmployeeId = "virtual_employee_id = ?",
        status: HiredEmployeeStatus = "status = ?",
    }
}

/// What hiring says beyond whom.
#[derive(Clone, Debug)]
pub struct NewHiredEmployee {
    /// That of the virtual employee when empty.
    pub name: String,
    pub email: Option<String>,
    pub config: Object,
    pub shared: bool,
    pub agent_id: Option<AgentId>,
}

impl Rules for HiredEmployee {
    async fn updating(
        conn: &mut PgConnection,
        org: OrganizationId,
        id: HiredEmployeeId,
        patch: &mut HiredEmployeePatch,
    ) -> Result<()> {
        if let Some(config) = &patch.config {
            let employee = Self::hold(conn, org, id).await?;
            configs::check_config("hired_employee.config", &employee.config_schema, config)?;
        }
        agent_exists(conn, org, patch.agent_id.flatten()).await
    }
}

/// Agents are runtime-service's rows: a foreign key would cross owners.
async fn agent_exists(
    conn: &mut PgConnection,
    org: OrganizationId,
    agent: Option<AgentId>,
) -> Result<()> {
    match agent {
        Some(agent) => shared_db::read::agents::get(conn, org, agent).await.map(drop),
        None => Ok(()),
    }
}

/// Hires `whom`, as it is offered now.
pub async fn hire(
    conn: &mut PgConnection,
    org: OrganizationId,
    id: HiredEmployeeId,
    whom: &VirtualEmployee,
    new: NewHiredEmployee,
    user: Option<UserId>,
) -> Result<HiredEmployee> {
    if !whom.listed {
        let subject = format!("virtual_employee/{}", whom.id);
        return Err(Error::precondition(Reason::NotListed, subject, "it is not for hire"));
    }
    configs::check_config("config", &whom.config_schema, &new.config)?;
    agent_exists(conn, org, new.agent_id).await?;
    let name = if new.name.is_empty() { &whom.name } else { &new.name };
    hired_employee!(
        "insert into web.hired_employees
             (org_id, id, virtual_employee_id, name, email, config, shared, agent_id, version, config_schema, price_usd_monthly,
              created_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11::text::numeric, $12)
         returning",
        "",
        org.0,
        id.0,
        whom.id.0,
        name,
        new.email,
        new.config as Object,
        new.shared,
        new.agent_id.map(|it| it.0),
        whom.version,
        &whom.config_schema as &Object,
        whom.price_usd_monthly.0,
        user.map(|it| it.0),
    )
    .fetch_one(conn)
    .await
    .map_err(|error| refused::<HiredEmployee>(error, &[]))
}

impl Pinned for HiredEmployee {
    type Offer = VirtualEmployee;

    const UPGRADE: &'static str = "UpgradeEmployee";

    fn offer(&self) -> VirtualEmployeeId {
        self.virtual_employee_id
    }

    fn version_of(offer: &VirtualEmployee) -> i32 {
        offer.version
    }

    async fn problems(&self, _: &mut PgConnection, offer: &VirtualEmployee) -> Result<Vec<String>> {
        configs::problems(&offer.config_schema, &self.config)
    }

    async fn pin(
        conn: &mut PgConnection,
        org: OrganizationId,
        id: HiredEmployeeId,
        offer: &VirtualEmployee,
    ) -> Result<Self> {
        let pinned = hired_employee!(
            "update web.hired_employees
             set version = $3, config_schema = $4, price_usd_monthly = $5::text::numeric, etag = gen_random_uuid()
             where org_id = $1 and id = $2
             returning",
            "",
            org.0,
            id.0,
            offer.version,
            &offer.config_schema as &Object,
            offer.price_usd_monthly.0,
        )
        .fetch_optional(conn)
        .await?;
        pinned.ok_or_else(|| not_found::<Self>(id))
    }
}
