//! `HiredEmployeeService`.

use crate::{
    api::request,
    app::{
        marketplace,
        once::Asked,
        upgrades::{self, Upgrade},
    },
    resource::{Column, Object, Resource, service},
    store::marketplace::hired_employees::{HiredEmployee, NewHiredEmployee},
};
use shared_db::service::accept;
use tonic::{Request, Response, Result};
use web_api::v1 as pb;

service! {
    HiredEmployee of hired_employees, get, list, update, delete {
        async fn hire_employee(
            &self,
            request: Request<pb::HireEmployeeRequest>,
        ) -> Result<Response<pb::HiredEmployee>> {
            let (caller, mut request) = accept(request)?;
            let request_id = std::mem::take(&mut request.request_id);
            let asked = Asked::new("HireEmployee", request_id, &request);
            let whom = request::id("virtual_employee_id", &request.virtual_employee_id)?;
            let agent_id = request.agent_id.map(|it| request::id("agent_id", &it)).transpose()?;
            let new = NewHiredEmployee {
                name: request.name,
                email: request.email,
                config: Object::from_wire("config", request.config.unwrap_or_default())?,
                shared: request.shared,
                agent_id,
            };
            Ok(Response::new(marketplace::hire(&self.app, &caller, &asked, whom, new).await?))
        }

        async fn preview_employee_upgrade(
            &self,
            request: Request<pb::PreviewEmployeeUpgradeRequest>,
        ) -> Result<Response<pb::EmployeeUpgrade>> {
            let (caller, request) = accept(request)?;
            let id = request::id("id", &request.id)?;
            let Upgrade::<HiredEmployee> { pinned, offer, problems } =
                upgrades::preview(&self.app, &caller, id).await?;
            Ok(Response::new(pb::EmployeeUpgrade {
                from_version: pinned.version,
                to_version: offer.version,
                from_price_usd_monthly: pinned.price_usd_monthly.0,
                to_price_usd_monthly: offer.price_usd_monthly.0,
                from_config_schema: Some(pinned.config_schema.into_wire()),
                to_config_schema: Some(offer.config_schema.into_wire()),
                problems,
            }))
        }

        async fn upgrade_employee(
            &self,
            request: Request<pb::UpgradeEmployeeRequest>,
        ) -> Result<Response<pb::HiredEmployee>> {
            let (caller, request) = accept(request)?;
            let id = request::id("id", &request.id)?;
            let hired: HiredEmployee =
                upgrades::upgrade(&self.app, &caller, id, request.to_version).await?;
            Ok(Response::new(hired.into_wire()?))
        }
    }
}
