//! An organization made through the API: somebody of each role, and short ways to what executions need.

use crate::{
    client::{As, Caller},
    doors::{Doors, RUNTIME_KEY},
};
use serde_json::{Value, json};
use shared_db::ids::OrganizationId;

/// Somebody who belongs to an organization, with a key.
#[derive(Clone, Debug)]
pub struct Member {
    pub user_id: String,
    pub email: String,
    pub key: String,
    pub key_id: String,
}

#[derive(Clone, Debug)]
pub struct Org {
    pub id: String,
    /// Unique in the cluster of tests.
    pub slug: String,
    pub owner: Member,
    pub admin: Member,
    pub developer: Member,
    pub viewer: Member,
    doors: Doors,
}

impl Org {
    pub(crate) async fn create(doors: Doors) -> Self {
        let platform = doors.platform();
        let slug = format!("t{}", OrganizationId::generate().0.simple());
        let user = json!({ "email": format!("owner@{slug}.test"), "name": "Olga Owner" });
        let user = ask(&platform, "UserService/CreateUser", json!({ "user": user })).await;
        let org = json!({
            "organization": { "slug": slug, "name": format!("Test {slug}") },
            "owner_user_id": user["id"],
        });
        let org = ask(&platform, "OrganizationService/CreateOrganization", org).await;
        let id = text(&org["id"]);
        let here = platform.with_identity(platform.identity.clone().in_org(&id));
        let owner = with_key(&here, user, "MEMBER_ROLE_OWNER").await;
        let admin = member(&here, &slug, "MEMBER_ROLE_ADMIN").await;
        let developer = member(&here, &slug, "MEMBER_ROLE_DEVELOPER").await;
        let viewer = member(&here, &slug, "MEMBER_ROLE_VIEWER").await;
        Self { id, slug, owner, admin, developer, viewer, doors }
    }

    pub fn owner(&self) -> Caller {
        self.by(&self.owner)
    }

    pub fn admin(&self) -> Caller {
        self.by(&self.admin)
    }

    pub fn developer(&self) -> Caller {
        self.by(&self.developer)
    }

    pub fn viewer(&self) -> Caller {
        self.by(&self.viewer)
    }

    /// The platform, acting in this organization.
    pub fn platform(&self) -> Caller {
        let platform = self.doors.platform();
        platform.with_identity(platform.identity.clone().in_org(&self.id))
    }

    /// The platform, acting in none.
    pub fn everywhere(&self) -> Caller {
        self.doors.platform()
    }

    /// Commands runtime-service as web-service does, for the developer of this organization.
    pub fn runtime(&self) -> Caller {
        let identity = As::key(RUNTIME_KEY).in_org(&self.id);
        let identity = identity.with("x-freehold-user", &self.developer.user_id);
        self.doors.runtime().with_identity(identity)
    }

    /// The id of a new core action that gets `url`.
    pub async fn action(&self, url: &str) -> String {
        let http = json!({ "method": "GET", "url": url });
        self.action_with(json!({ "http": http, "side_effect": "SIDE_EFFECT_PURE" })).await
    }

    /// The id of a new core action with these fields, and a slug and a name if they have none.
    pub async fn action_with(&self, fields: Value) -> String {
        let action = named("action", fields);
        let request = json!({ "core_action": action });
        text(&ask(&self.developer(), "CoreActionService/CreateCoreAction", request).await["id"])
    }

    /// The id of a new agent that gets these addresses one after the other, in steps `step-1`, `step-2` …
    pub async fn agent(&self, urls: &[&str]) -> String {
        let mut calls = Vec::new();
        for (index, url) in urls.iter().enumerate() {
            let action = self.action(url).await;
            let key = format!("step-{}", index + 1);
            calls.push(json!({ "step_key": key, "core_action_id": action }));
        }
        self.agent_with(json!({ "endpoint": { "calls": calls } })).await
    }

    /// The id of a new api agent with these fields, and a slug and a name if they have none.
    pub async fn agent_with(&self, fields: Value) -> String {
        let mut agent = named("agent", fields);
        agent["type"] = json!("AGENT_TYPE_API");
        let request = json!({ "agent": agent });
        text(&ask(&self.developer(), "AgentService/CreateAgent", request).await["id"])
    }

    /// The id of a new execution of an agent.
    pub async fn start(&self, agent: &str, input: Value) -> String {
        let request_id = OrganizationId::generate().to_string();
        let request = json!({ "agent_id": agent, "input": input, "request_id": request_id });
        text(&ask(&self.developer(), "ExecutionService/StartExecution", request).await["id"])
    }

    /// Watches an execution to its end and returns its events.
    pub async fn watch(&self, execution: &str) -> Vec<Value> {
        let request = json!({ "id": execution });
        let answers = ask(&self.viewer(), "ExecutionService/WatchExecution", request).await;
        let Value::Array(mut answers) = answers else { panic!("a stream is a list") };
        answers.iter_mut().map(|it| it["event"].take()).collect()
    }

    /// Waits until an execution has ended and returns it.
    pub async fn finish(&self, execution: &str) -> Value {
        self.watch(execution).await;
        let request = json!({ "id": execution });
        ask(&self.viewer(), "ExecutionService/GetExecution", request).await
    }

    /// Opens these methods to a member, and no others.
    pub async fn permit(&self, member: &Member, permissions: &[&str]) {
        let member = json!({ "user_id": member.user_id, "permissions": permissions });
        let request = json!({ "member": member, "update_mask": ["permissions"] });
        ask(&self.admin(), "MemberService/UpdateMember", request).await;
    }

    fn by(&self, member: &Member) -> Caller {
        self.doors.nobody().with_identity(As::key(&member.key))
    }
}

pub(crate) async fn platform_named(platform: &Caller, slug: &str) -> String {
    let request = json!({ "platform": { "slug": slug, "name": slug } });
    text(&ask(platform, "PlatformService/CreatePlatform", request).await["id"])
}

async fn member(here: &Caller, slug: &str, role: &str) -> Member {
    let name = role.rsplit('_').next().unwrap_or(role).to_lowercase();
    let request = json!({ "email": format!("{name}@{slug}.test"), "name": name, "role": role });
    let member = ask(here, "MemberService/AddMember", request).await;
    let user = json!({ "id": member["user_id"], "email": member["email"] });
    with_key(here, user, role).await
}

/// A key of `role` for a member.
async fn with_key(here: &Caller, user: Value, role: &str) -> Member {
    let key = json!({ "name": role, "role": role, "user_id": user["id"] });
    let made = ask(here, "ApiKeyService/CreateApiKey", json!({ "api_key": key })).await;
    Member {
        user_id: text(&user["id"]),
        email: text(&user["email"]),
        key: text(&made["secret"]),
        key_id: text(&made["api_key"]["id"]),
    }
}

/// `fields` with a slug and a name.
fn named(kind: &str, mut fields: Value) -> Value {
    let slug = format!("{kind}-{}", OrganizationId::generate().0.simple());
    for key in ["slug", "name"] {
        if fields[key].is_null() {
            fields[key] = json!(slug);
        }
    }
    fields
}

async fn ask(caller: &Caller, method: &str, request: Value) -> Value {
    let answer = caller.call(method, request).await;
    answer.unwrap_or_else(|status| panic!("{method} is answered: {status:?}"))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a text, not {value}")).to_owned()
}
