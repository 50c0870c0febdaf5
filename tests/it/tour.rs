//! Every method of both contracts, called once with success by somebody of the least role that the contract names.
//!
//! A visitor sees each call just before it is made, and may try the same as somebody else: what it tries must change nothing.

mod control;
mod executions;
mod files;
mod identity;
mod plain;
mod purges;
mod runtime;
mod things;
mod waits;

use common_api::options::Role;
use freehold_tests::{
    client::{Api, As, Caller, Recorded, least_role},
    remote::Remote,
    stack::{Org, Stack},
};
use serde_json::Value;
use shared_db::ids::WorkerId;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

/// A call that is about to be made.
pub(crate) struct Step {
    /// Such as `UserService/GetUser`.
    pub(crate) name: String,
    pub(crate) role: Role,
    pub(crate) request: Value,
    pub(crate) caller: Caller,
}

/// Tries something before a step is made, or looks at what it has done.
pub(crate) trait Visitor {
    async fn before(&mut self, tour: &Tour, step: &Step);

    async fn after(&mut self, _tour: &Tour, _step: &Step) {}
}

/// What the tour goes through, and what it has done.
pub(crate) struct Tour {
    pub(crate) stack: Arc<Stack>,
    pub(crate) org: Org,
    /// Has nothing to do with `org`, but for what `org` shares with it.
    pub(crate) stranger: Org,
    pub(crate) remote: Remote,
    pub(crate) record: Arc<Mutex<Vec<Recorded>>>,
}

impl Tour {
    /// Goes all the way.
    pub(crate) async fn go(visitor: &mut impl Visitor) -> Self {
        Self::on(Arc::new(Stack::start().await), visitor).await
    }

    /// Goes all the way on a stack that others may have gone on.
    pub(crate) async fn on(stack: Arc<Stack>, visitor: &mut impl Visitor) -> Self {
        let (org, stranger) = (stack.organization().await, stack.organization().await);
        let remote = Remote::start().await;
        let tour = Self { stack, org, stranger, remote, record: Arc::default() };
        identity::walk(&tour, visitor).await;
        things::walk(&tour, visitor).await;
        files::walk(&tour, visitor).await;
        plain::walk(&tour, visitor).await;
        executions::walk(&tour, visitor).await;
        control::walk(&tour, visitor).await;
        waits::walk(&tour, visitor).await;
        runtime::walk(&tour, visitor).await;
        purges::walk(&tour, visitor).await;
        tour
    }

    /// Makes a call of web's contract, as the member of `org` whose role is the least that suffices.
    async fn web(&self, visitor: &mut impl Visitor, name: &str, request: Value) -> Value {
        let caller = self.member(least_role(&Api::Web.method(name)));
        self.make(visitor, name, caller, request).await
    }

    /// Makes a call that the tour has made before, which nobody needs to see again.
    async fn again(&self, name: &str, request: Value) -> Value {
        let caller = self.member(least_role(&Api::Web.method(name)));
        let answer = caller.call(name, request).await;
        answer.unwrap_or_else(|status| panic!("{name} succeeds: {status:?}"))
    }

    /// Makes a call of the runtime's contract, as web-service does.
    async fn runtime(&self, visitor: &mut impl Visitor, name: &str, request: Value) -> Value {
        let caller = self.org.runtime();
        self.make(visitor, name, caller, request).await
    }

    async fn make(
        &self,
        visitor: &mut impl Visitor,
        name: &str,
        caller: Caller,
        request: Value,
    ) -> Value {
        let role = least_role(&caller.api.method(name));
        let step = Step { name: name.to_owned(), role, request, caller };
        visitor.before(self, &step).await;
        let caller = Caller { record: Some(self.record.clone()), ..step.caller.clone() };
        let answer = caller.call(name, step.request.clone()).await;
        visitor.after(self, &step).await;
        answer.unwrap_or_else(|status| panic!("{name} succeeds: {status:?}"))
    }

    /// Somebody of `org` with this role and no higher one.
    pub(crate) fn member(&self, role: Role) -> Caller {
        match role {
            Role::AnyCaller | Role::Viewer => self.org.viewer(),
            Role::Developer => self.org.developer(),
            Role::Admin => self.org.admin(),
            Role::Owner => self.org.owner(),
            Role::Platform => self.org.platform(),
            Role::WebService | Role::Unspecified => self.org.owner().with_identity(As::default()),
        }
    }

    /// Methods that were called with success.
    pub(crate) fn covered(&self) -> BTreeSet<String> {
        let record = self.record.lock().unwrap();
        record.iter().filter(|it| it.succeeded).map(|it| it.method.clone()).collect()
    }
}

fn fresh_id() -> String {
    WorkerId::generate().to_string()
}
