//! Organizations, users, members and their keys.

use crate::conformance::resource::{Resource, Sieve, sieve};
use freehold_tests::{
    client::Caller,
    stack::{Org, Stack},
};
use serde_json::{Value, json};

pub(crate) struct Organizations;

impl Resource for Organizations {
    const KIND: &'static str = "Organization";
    const PLURAL: &'static str = "Organizations";
    const TENANT: bool = false;
    const ORGANIZATION: bool = true;

    fn writer(org: &Org) -> Caller {
        org.platform()
    }

    fn reader(org: &Org) -> Caller {
        org.platform()
    }

    fn draft(_: &Value, name: &str) -> Value {
        json!({
            "slug": name,
            "name": "Acme",
            "description": "Makes everything",
            "url": "https://acme.example.test",
            "settings": {
                "theme": "dark",
                "features": ["research"],
                "limits": { "agents": 10 },
                "preferences": { "week_begins": "monday" },
            },
        })
    }

    fn changes(_: &Value) -> Value {
        json!({
            "name": "Acme & Daughters",
            "description": "Makes everything else",
            "url": "http://daughters.example.test",
            "settings": { "theme": "light" },
        })
    }
}

pub(crate) struct Users;

impl Resource for Users {
    const KIND: &'static str = "User";
    const PLURAL: &'static str = "Users";
    const TENANT: bool = false;
    // Only to an organization that the user is a member of, which a new one is not.
    const NEVER_CHANGED: &'static [&'static str] = &["current_organization_id"];

    fn writer(org: &Org) -> Caller {
        org.everywhere()
    }

    fn reader(org: &Org) -> Caller {
        org.everywhere()
    }

    fn draft(_: &Value, name: &str) -> Value {
        json!({
            "email": format!("{name}@example.test"),
            "name": "Ada Lovelace",
            "subject": name,
            "system_role": "SYSTEM_ROLE_USER",
        })
    }

    fn changes(_: &Value) -> Value {
        json!({ "name": "Augusta Ada King", "system_role": "SYSTEM_ROLE_SYSTEM_ADMIN" })
    }
}

pub(crate) struct Members;

impl Resource for Members {
    const KIND: &'static str = "Member";
    const PLURAL: &'static str = "Members";
    const ID: &'static str = "user_id";
    const CREATE: &'static str = "Add";
    const DELETE: &'static str = "Remove";
    const REQUIRED: &'static [&'static str] = &["email", "role"];

    fn writer(org: &Org) -> Caller {
        org.admin()
    }

    fn draft(_: &Value, name: &str) -> Value {
        json!({
            "email": format!("{name}@example.test"),
            "name": "Grace Hopper",
            "role": "MEMBER_ROLE_DEVELOPER",
            "permissions": ["NoteService/CreateNote"],
        })
    }

    fn changes(_: &Value) -> Value {
        json!({ "role": "MEMBER_ROLE_VIEWER", "permissions": ["TaskService/*", "NoteService/CreateNote"] })
    }

    fn sieves(_: &Value) -> Vec<Sieve> {
        vec![sieve(
            json!({ "role": "MEMBER_ROLE_VIEWER" }),
            json!({ "role": "MEMBER_ROLE_VIEWER" }),
            json!({}),
        )]
    }
}

pub(crate) struct ApiKeys;

impl Resource for ApiKeys {
    const KIND: &'static str = "ApiKey";
    const PLURAL: &'static str = "ApiKeys";
    const DELETE: &'static str = "Revoke";

    fn writer(org: &Org) -> Caller {
        org.admin()
    }

    fn reader(org: &Org) -> Caller {
        org.admin()
    }

    async fn prepare(_: &Stack, org: &Org) -> Value {
        json!({ "user": org.admin.user_id })
    }

    fn draft(given: &Value, name: &str) -> Value {
        json!({
            "name": name,
            "role": "MEMBER_ROLE_VIEWER",
            "user_id": given["user"],
            "expire_time": "2099-01-01T00:00:00Z",
        })
    }

    fn created(mut answer: Value) -> Value {
        assert!(answer["secret"].as_str().is_some_and(|it| it.starts_with("fh_")));
        answer["api_key"].take()
    }
}
