//! Who is calling, and whether the role suffices.

use super::{
    caller::{Caller, Role},
    methods::{Method, Methods},
};
use crate::error::{Error, Reason, Result};
use http::HeaderMap;
use std::{future::Future, sync::Arc};

/// What a service knows of a call before anything of its message is read.
#[derive(Debug)]
pub struct Call {
    pub method: Arc<Method>,
    pub headers: HeaderMap,
    /// URI names of the peer's verified certificate; empty without one.
    pub peer: Vec<String>,
}

impl Call {
    /// The header, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok().map(str::trim)
    }

    /// The token of `authorization: Bearer <token>`.
    pub fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.header("authorization")?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }
}

/// Tells who is calling. Each service has its own way.
pub trait Authenticate: Clone + Send + Sync + 'static {
    fn authenticate(&self, call: &Call) -> impl Future<Output = Result<Caller>> + Send;
}

/// Checks that `caller` may call `method`.
pub fn authorize(caller: &Caller, method: &Method) -> Result<()> {
    let Some(least) = method.least_role else { return Ok(()) };
    let suffices = match (caller.role, least) {
        (_, Role::Unspecified) | (Role::Unspecified, _) => false,
        (Role::WebService, _) | (_, Role::WebService) => caller.role == least,
        (role, least) => role >= least || lifted(caller, method, least),
    };
    if !suffices {
        return Err(Error::RoleTooLow { method: method.name.clone(), needed: name(least) });
    }
    // The platform may act in none where that has a meaning; a handler that needs one asks the caller for it.
    let in_organization = Role::AnyCaller < least && least < Role::Platform;
    if in_organization && !caller.is_platform() {
        caller.org()?;
    }
    Ok(())
}

/// Whether a permission of the caller's own lets it call a method that its role does not reach.
fn lifted(caller: &Caller, method: &Method, least: Role) -> bool {
    let member = (Role::Viewer..=Role::Owner).contains(&caller.role);
    member && can_be_permitted(least) && caller.permissions.iter().any(|it| permits(it, method))
}

/// What owners and the platform do can not be handed on one by one.
fn can_be_permitted(least: Role) -> bool {
    (Role::Viewer..=Role::Admin).contains(&least)
}

/// `NoteService/CreateNote` permits that method, `NoteService/*` all of the service.
fn permits(permission: &str, method: &Method) -> bool {
    let Some((service, name)) = permission.split_once('/') else { return false };
    let path = method.full_name.rsplit_once('.').map_or(method.full_name.as_str(), |it| it.1);
    path.split_once('/')
        .is_some_and(|(of, called)| of == service && (name == "*" || name == called))
}

/// Whether there is a method that `permission` can let somebody call.
pub fn is_permission(methods: &Methods, permission: &str) -> bool {
    methods.iter().any(|it| permits(permission, it) && it.least_role.is_some_and(can_be_permitted))
}

/// `ROLE_ADMIN` → `ADMIN`
fn name(role: Role) -> &'static str {
    let name = role.as_str_name();
    name.strip_prefix("ROLE_").unwrap_or(name)
}

/// The refusal of a call that came without credentials.
pub fn credentials_missing() -> Error {
    Error::Unauthenticated {
        reason: Reason::CredentialsMissing,
        problem: "send `authorization: Bearer <key>`".into(),
    }
}
