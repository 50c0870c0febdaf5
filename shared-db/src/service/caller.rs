//! Who is calling: put into the request's extensions by the service's authentication, taken out by every handler.

use crate::{
    error::{Error, Reason, Result, status},
    ids::{ApiKeyId, OrganizationId, UserId},
    scope::Scope,
    service::{config::Limits, rules},
};
pub use common_api::options::Role;
use prost::{Message, Name};
use std::{str::FromStr, sync::Arc, time::Duration};
use tonic::{Code, Request, Streaming};

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

/// Splits a request into its caller and its message, which keeps the rules of its proto. Every handler begins with it.
pub fn accept<T: Message + Name>(request: Request<T>) -> Result<(Caller, T)> {
    let (_, mut extensions, message) = request.into_parts();
    let caller = extensions.remove::<Caller>().ok_or_else(unauthenticated)?;
    rules::check(&message)?;
    Ok((caller, message))
}

/// The same for a method that takes a stream. Its messages come out of [`Incoming::next`].
pub fn accept_stream<T>(
    request: Request<Streaming<T>>,
    limits: &Limits,
) -> Result<(Caller, Incoming<T>)> {
    let (_, mut extensions, messages) = request.into_parts();
    let caller = extensions.remove::<Caller>().ok_or_else(unauthenticated)?;
    Ok((caller, Incoming { messages, silence_max: limits.stream_silence_max }))
}

/// The messages of a stream that a caller sends.
#[derive(Debug)]
pub struct Incoming<T> {
    messages: Streaming<T>,
    silence_max: Duration,
}

impl<T: Message + Name> Incoming<T> {
    /// The next message, which keeps the rules of its proto; `None` when the caller has said that there are no more. Fails when it
    /// does not come in time, or when the caller has gone away.
    pub async fn next(&mut self) -> Result<Option<T>> {
        let message = tokio::time::timeout(self.silence_max, self.messages.message()).await;
        let silent = |_| {
            let problem = format!("nothing came for {:?}; send again", self.silence_max);
            status(Code::DeadlineExceeded, Reason::DeadlineExceeded, problem)
        };
        let message = message.map_err(silent).flatten();
        let message = message.map_err(|status| Error::Status(Box::new(status)))?;
        message.as_ref().map(rules::check).transpose()?;
        Ok(message)
    }
}

fn unauthenticated() -> Error {
    Error::internal(anyhow::anyhow!("no caller: the method was reached around authentication"))
}

/// The id that `field` of a request holds.
pub fn id<T: FromStr>(field: &str, value: &str) -> Result<T> {
    value.parse().map_err(|_| Error::invalid(field, "must be a UUID"))
}
