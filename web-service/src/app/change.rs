//! A change and its line in the audit trail: both or neither.
//!
//! A handler says who changes what, and hands over the statement:
//!
//! ```text
//! let id = CoreActionId::generate();
//! let action = Change::new(&caller, "CreateCoreAction", id)
//!     .apply(&self.db, async |tx, org| core_actions::create(tx, org, id, new).await)
//!     .await?;
//! ```

use crate::{
    resource::Trail,
    store::identity::activities::{self, NewActivity},
};
use shared_db::{
    error::{Error, Reason, Result},
    ids::{
        ActivityId, AgentId, ApiKeyId, CoreActionId, ExecutionId, FileId, InputRequestId,
        OrganizationId, PlatformId, UserId,
    },
    scope::{Db, Scope, Tx},
    service::{Caller, trace_context},
};
use sqlx::PgConnection;
use std::borrow::Cow;
use uuid::Uuid;

/// What is changed, as the audit trail names it.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    pub kind: &'static str,
    pub id: Uuid,
}

impl Subject {
    /// A membership: its user, as a member.
    pub fn member(user: UserId) -> Self {
        Self { kind: "member", id: user.0 }
    }

    /// Many at once, under an id that only the trail has.
    pub fn batch(id: Uuid) -> Self {
        Self { kind: "batch", id }
    }
}

macro_rules! subjects {
    ($($id:ident = $kind:literal,)*) => {$(
        impl From<$id> for Subject {
            fn from(id: $id) -> Self {
                Self { kind: $kind, id: id.0 }
            }
        }
    )*};
}

subjects! {
    OrganizationId = "organization",
    UserId = "user",
    ApiKeyId = "api_key",
    PlatformId = "platform",
    CoreActionId = "core_action",
    FileId = "file",
    AgentId = "agent",
    ExecutionId = "execution",
    InputRequestId = "input_request",
}

/// Who changes what.
#[derive(Clone, Debug)]
pub struct Change<'a> {
    caller: &'a Caller,
    /// The method.
    action: Cow<'a, str>,
    subject: Subject,
    fields: Vec<String>,
    /// In whose trail it stands. Without one it stands in the log.
    org: Option<OrganizationId>,
    across: bool,
}

impl<'a> Change<'a> {
    /// A change in the organization that the caller acts in, by the caller's method `action`.
    pub fn new(
        caller: &'a Caller,
        action: impl Into<Cow<'a, str>>,
        subject: impl Into<Subject>,
    ) -> Self {
        let (action, subject) = (action.into(), subject.into());
        Self { caller, action, subject, fields: Vec::new(), org: caller.org, across: false }
    }

    /// Names the fields that an update sets.
    #[must_use]
    pub fn fields(mut self, fields: Vec<String>) -> Self {
        self.fields = fields;
        self
    }

    /// Lets the statement cross organizations; it has to name the ones that it means.
    #[must_use]
    pub fn across_organizations(mut self) -> Self {
        self.across = true;
        self
    }

    /// Puts it into the trail of `org`, which need not be the caller's.
    #[must_use]
    pub fn in_trail_of(mut self, org: OrganizationId) -> Self {
        self.org = Some(org);
        self
    }

    /// Makes the change and writes it down, in one transaction.
    pub async fn apply<T>(
        self,
        db: &Db,
        work: impl AsyncFnOnce(&mut Tx) -> Result<T>,
    ) -> Result<T> {
        let scope = match self.org {
            _ if self.across => Scope::Platform,
            Some(org) => Scope::Tenant(org, self.caller.user),
            None => self.caller.scope()?,
        };
        let mut tx = db.begin(scope).await?;
        let done = work(&mut tx).await;
        self.finish(tx, done, false).await
    }

    /// Commits what was done with the line in the trail; `told` says that the statements have written it themselves.
    pub async fn finish<T>(&self, mut tx: Tx, done: Result<T>, told: bool) -> Result<T> {
        let done = done.map_err(|error| self.without_owner(error))?;
        if !told {
            self.append(&mut tx).await?;
        }
        tx.commit().await?;
        // Not before: what was not committed did not happen.
        if self.org.is_none() {
            self.log();
        }
        Ok(done)
    }

    /// What the trail will say, for a statement that writes it down itself.
    pub fn trail(&self) -> Trail {
        Trail {
            id: ActivityId::generate(),
            user: self.caller.user,
            api_key: self.caller.api_key,
            action: self.action.clone().into_owned(),
            fields: self.fields.clone(),
            trace_id: trace_context::trace_id(),
        }
    }

    /// Writes the change down in a transaction that is open already, if it belongs into a trail. What does not is for [`Change::log`],
    /// after the commit.
    pub async fn append(&self, conn: &mut PgConnection) -> Result<()> {
        let Some(org) = self.org else { return Ok(()) };
        let trace_id = trace_context::trace_id();
        let activity = NewActivity {
            actor_user: self.caller.user,
            actor_api_key: self.caller.api_key,
            action: &self.action,
            resource_type: self.subject.kind,
            resource_id: self.subject.id,
            fields: &self.fields,
            trace_id: trace_id.as_deref(),
        };
        let appended = activities::append(conn, org, &activity).await;
        appended.map_err(|error| self.without_owner(error))
    }

    /// What happens to the platform, or to an organization that is no more, belongs to nobody's trail: the log has it.
    pub fn log(&self) {
        tracing::info!(
            target: "audit",
            action = %self.action,
            resource_type = self.subject.kind,
            resource_id = %self.subject.id,
            fields = ?self.fields,
            user = ?self.caller.user,
            api_key = ?self.caller.api_key,
            trace_id = trace_context::trace_id(),
            "changed"
        );
    }

    /// A caller may outlive its organization, or its membership, by the few seconds that it is remembered.
    fn without_owner(&self, error: Error) -> Error {
        match (error.constraint(), self.org) {
            (Some(it), Some(org)) if it.ends_with("_org_id_fkey") => {
                Error::not_found("organization", org)
            }
            (Some(it), Some(_)) if it.ends_with("_user_id_fkey") => {
                let problem = "the user is no member of the organization any more".to_owned();
                Error::Denied { reason: Reason::UserInactive, problem }
            }
            _ => error,
        }
    }
}
