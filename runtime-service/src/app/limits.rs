//! Changing the limits on how many executions are under way at once.

use crate::{engine::Wake, store::limits};
use common_api::types::{ConcurrencyLimits, LimitSubject};
use runtime_api::v1 as pb;
use shared_db::{
    enums,
    error::{Error, Reason, Result},
    ids::OrganizationId,
    read,
    scope::{Db, Scope, Tx},
    service::{Caller, id},
};
use uuid::Uuid;

/// Agents and platforms of one organization that may have limits: each claim counts for all of them.
const LIMITS_MAX: i64 = 1000;

#[derive(Clone)]
pub struct Limits {
    pub(crate) db: Db,
    pub(crate) wake: Wake,
}

impl Limits {
    pub async fn set_organization(
        &self,
        caller: &Caller,
        request: pb::SetOrganizationLimitRequest,
    ) -> Result<ConcurrencyLimits> {
        self.change(caller, async |tx, org| {
            limits::put_organization(tx, org, request.executions_max).await
        })
        .await
    }

    pub async fn set(
        &self,
        caller: &Caller,
        request: pb::SetConcurrencyLimitRequest,
    ) -> Result<ConcurrencyLimits> {
        let subject = subject(request.subject(), &request.subject_id)?;
        self.must_be_there(caller, subject).await?;
        self.change(caller, async |tx, org| {
            limits::put(tx, org, subject, request.executions_max).await?;
            if LIMITS_MAX < limits::count(tx, org).await? {
                let reason = Reason::TooManyConcurrencyLimits;
                let problem = format!("at most {LIMITS_MAX} agents and platforms may have limits");
                return Err(Error::Exhausted { reason, problem });
            }
            Ok(())
        })
        .await
    }

    pub async fn delete(
        &self,
        caller: &Caller,
        request: pb::DeleteConcurrencyLimitRequest,
    ) -> Result<ConcurrencyLimits> {
        let subject = subject(request.subject(), &request.subject_id)?;
        self.change(caller, async |tx, org| limits::delete(tx, org, subject).await).await
    }

    async fn change(
        &self,
        caller: &Caller,
        work: impl AsyncFnOnce(&mut Tx, OrganizationId) -> Result<()>,
    ) -> Result<ConcurrencyLimits> {
        let org = caller.org()?;
        let mut tx = self.db.begin(caller.scope()?).await?;
        limits::lock(&mut tx, org).await?;
        work(&mut tx, org).await?;
        limits::tidy(&mut tx, org).await?;
        let limits = read::limits::get(&mut tx, org).await?;
        tx.commit().await?;
        // There may be room now.
        self.wake.work_of(org);
        Ok(limits)
    }

    /// A limit of nothing would never be noticed. An agent may be another organization's that is shared: its row is read across them.
    async fn must_be_there(
        &self,
        caller: &Caller,
        (subject, id): (enums::LimitSubject, Uuid),
    ) -> Result<()> {
        let mut tx = self.db.begin(Scope::Platform).await?;
        if limits::is_there(&mut tx, caller.org()?, (subject, id)).await? {
            return Ok(());
        }
        let resource = match subject {
            enums::LimitSubject::Agent => "agent",
            enums::LimitSubject::Platform => "platform",
        };
        Err(Error::not_found(resource, id))
    }
}

fn subject(subject: LimitSubject, subject_id: &str) -> Result<(enums::LimitSubject, Uuid)> {
    let subject = enums::LimitSubject::from_wire(subject)
        .ok_or_else(|| Error::invalid("subject", "must be said"))?;
    Ok((subject, id("subject_id", subject_id)?))
}
