//! Changing the limits on how many executions are under way at once.

use crate::{
    api::request::id,
    app::{App, change::Change},
    runtime::Actor,
};
use common_api::types::{ConcurrencyLimits, LimitSubject};
use runtime_api::v1 as rt;
use shared_db::{
    error::{Error, Result},
    ids::{AgentId, PlatformId},
    service::Caller,
};
use web_api::v1 as pb;

/// Sets or removes the limit of the organization.
pub async fn set_organization(
    app: &App,
    caller: &Caller,
    request: pb::SetOrganizationLimitRequest,
) -> Result<ConcurrencyLimits> {
    let request = rt::SetOrganizationLimitRequest { executions_max: request.executions_max };
    let limits = app.runtime.set_organization_limit(Actor::of(caller)?, request).await?;
    Change::new(caller, "SetOrganizationLimit", caller.org()?)
        .apply(&app.db, async |_| Ok(limits))
        .await
}

/// Sets the limit of an agent or a platform.
pub async fn set(
    app: &App,
    caller: &Caller,
    request: pb::SetConcurrencyLimitRequest,
) -> Result<ConcurrencyLimits> {
    let change = of(caller, "SetConcurrencyLimit", request.subject(), &request.subject_id)?;
    let request = rt::SetConcurrencyLimitRequest {
        subject: request.subject,
        subject_id: request.subject_id,
        executions_max: request.executions_max,
    };
    let limits = app.runtime.set_concurrency_limit(Actor::of(caller)?, request).await?;
    change.apply(&app.db, async |_| Ok(limits)).await
}

/// Removes the limit of an agent or a platform.
pub async fn delete(
    app: &App,
    caller: &Caller,
    request: pb::DeleteConcurrencyLimitRequest,
) -> Result<ConcurrencyLimits> {
    let change = of(caller, "DeleteConcurrencyLimit", request.subject(), &request.subject_id)?;
    let request = rt::DeleteConcurrencyLimitRequest {
        subject: request.subject,
        subject_id: request.subject_id,
    };
    let limits = app.runtime.delete_concurrency_limit(Actor::of(caller)?, request).await?;
    change.apply(&app.db, async |_| Ok(limits)).await
}

fn of<'c>(
    caller: &'c Caller,
    method: &'static str,
    subject: LimitSubject,
    subject_id: &str,
) -> Result<Change<'c>> {
    Ok(match subject {
        LimitSubject::Agent => {
            Change::new(caller, method, id::<AgentId>("subject_id", subject_id)?)
        }
        LimitSubject::Platform => {
            Change::new(caller, method, id::<PlatformId>("subject_id", subject_id)?)
        }
        LimitSubject::Unspecified => return Err(Error::invalid("subject", "must be said")),
    })
}
