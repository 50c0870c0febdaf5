//! Who is calling: put into the request's extensions by the service's authentication, taken out by every handler.

use crate::{
    error::{Error, Reason, Result},
    ids::{ApiKeyId, OrganizationId, UserId},
    scope::Scope,
};
pub use common_api::options::Role;
use std::sync::Arc;

/// An authenticated caller.
#[derive(Clone, Debug)]
pub struct Caller {
    /// The organization that it acts in. Always there for roles from viewer to owner.
    pub org: Option<OrganizationId>,
    /// The user that acts, or that the key acts for.
    pub user: Option<UserId>,
    /// The key that the call came with.
    pub api_key: Option<ApiKeyId>,
    pub role: Role,
    /// Permissions beyond the role.
    pub permissions: Arc<[String]>,
}

impl Caller {
    /// The organization that the call acts in.
    pub fn org(&self) -> Result<OrganizationId> {
        self.org.ok_or_else(|| {
            let problem = "name the organization to act in";
            Error::invalid_as(Reason::OrganizationMissing, "x-freehold-org", problem)
        })
    }

    /// The scope of the caller's transactions.
    pub fn scope(&self) -> Result<Scope> {
        Ok(Scope::Tenant(self.org()?, self.user))
    }

    /// Whether the caller is the platform itself.
    pub fn is_platform(&self) -> bool {
        self.role == Role::Platform
    }
}
