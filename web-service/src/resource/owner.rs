//! Whose rows a call is about.

use crate::app::view;
use shared_db::{
    error::{Error, Reason, Result},
    ids::{OrganizationId, UserId},
    scope::Scope,
    service::Caller,
};
use std::fmt::Debug;

pub trait Owner: Copy + Debug + Send + Sync {
    fn of(caller: &Caller) -> Result<Self>;

    /// The scope of a transaction that reads.
    fn reads(caller: &Caller) -> Result<Scope> {
        caller.scope()
    }

    /// The scope of a transaction that changes.
    fn changes(caller: &Caller) -> Result<Scope> {
        caller.scope()
    }

    /// The statements of the rows themselves write the audit trail.
    const HAS_TRAIL: bool = true;
}

impl Owner for OrganizationId {
    fn of(caller: &Caller) -> Result<Self> {
        caller.org()
    }
}

/// Rows of one user in one organization: nobody else sees them, whatever their role.
#[derive(Clone, Copy, Debug)]
pub struct Mine {
    pub org: OrganizationId,
    pub user: UserId,
}

impl Owner for Mine {
    fn of(caller: &Caller) -> Result<Self> {
        let user = caller.user.ok_or_else(|| {
            let problem =
                "belongs to a user: call with a key or token that acts for one".to_owned();
            Error::Denied { reason: Reason::UserMissing, problem }
        })?;
        Ok(Self { org: caller.org()?, user })
    }
}

/// Rows that belong to nobody: everyone reads them, the platform writes them.
#[derive(Clone, Copy, Debug)]
pub struct Everyone;

impl Owner for Everyone {
    fn of(_: &Caller) -> Result<Self> {
        Ok(Self)
    }

    fn reads(caller: &Caller) -> Result<Scope> {
        Ok(view(caller)?.0)
    }

    fn changes(_: &Caller) -> Result<Scope> {
        Ok(Scope::Platform)
    }

    const HAS_TRAIL: bool = false;
}
