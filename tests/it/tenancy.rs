//! One tenant per row: another organization sees nothing, changes nothing, and learns nothing.

pub(crate) mod tables;

use crate::tour::{Step, Tour, Visitor};
use common_api::options::Role;
use freehold_tests::{
    client::{As, Caller},
    doors::RUNTIME_KEY,
    errors::without_ids,
};
use serde_json::Value;
use shared_db::ids::WorkerId;
use std::collections::BTreeMap;
use tables::digest;
use tonic::Status;

/// Tries each call with every right in another organization.
struct Stranger;

impl Visitor for Stranger {
    async fn before(&mut self, tour: &Tour, step: &Step) {
        let Some(stranger) = stranger(tour, step) else { return };
        let pool = tour.stack.database.superuser();
        let before = digest(&pool, &tour.org.id).await;

        let ids = ids(&step.request);
        let known: Vec<_> = ids.keys().cloned().collect();
        let unknown: Vec<_> = ids.values().cloned().collect();
        let seen = stranger.call(&step.name, fresh_request(step, str::to_owned)).await;
        let map = |it: &str| ids.get(it).cloned().unwrap_or_else(|| it.to_owned());
        let never = stranger.call(&step.name, fresh_request(step, map)).await;

        let (seen, never) = (told(seen, &known), told(never, &unknown));
        assert_eq!(seen, never, "{} tells of ids that are another's", step.name);
        let secret = [&tour.org.id, &tour.org.owner.user_id, &tour.org.slug];
        for it in secret.into_iter().filter(|it| !step.request.to_string().contains(*it)) {
            assert!(!seen.contains(it.as_str()), "{} shows {it}: {seen}", step.name);
        }
        assert_eq!(digest(&pool, &tour.org.id).await, before, "{} changed something", step.name);
    }
}

/// Services of what is the same for all.
const GLOBAL: [&str; 5] = [
    "PlatformService/",
    "VirtualEmployeeService/",
    "CatalogIntegrationService/",
    "SubscriptionTierService/",
    "CreditPriceService/",
];

/// Methods that take the id of something that is the same for all, and make something of the caller's own of it.
const OF_GLOBAL: [&str; 3] = [
    "HiredEmployeeService/HireEmployee",
    "InstallationService/InstallIntegration",
    "SubscriptionService/CreateSubscription",
];

/// Whoever has most rights elsewhere. Nobody for what the platform alone may do, which is no tenant, and for what is the same
/// for all.
fn stranger(tour: &Tour, step: &Step) -> Option<Caller> {
    let global = GLOBAL.iter().any(|it| step.name.starts_with(it));
    if global || OF_GLOBAL.contains(&step.name.as_str()) {
        return None;
    }
    match step.role {
        Role::Platform => None,
        Role::WebService => {
            let identity = As::key(RUNTIME_KEY).in_org(&tour.stranger.id);
            Some(step.caller.with_identity(identity))
        }
        Role::Unspecified
        | Role::AnyCaller
        | Role::Viewer
        | Role::Developer
        | Role::Admin
        | Role::Owner => Some(tour.stranger.owner()),
    }
}

fn is_id(text: &str) -> bool {
    text.len() == 36 && text.parse::<WorkerId>().is_ok()
}

/// Every id in a request, with one that nothing has in its place.
fn ids(request: &Value) -> BTreeMap<String, String> {
    let mut ids = BTreeMap::new();
    texts(request, &mut |it| {
        if is_id(it) {
            ids.insert(it.to_owned(), WorkerId::generate().to_string());
        }
    });
    ids
}

fn texts(value: &Value, each: &mut impl FnMut(&str)) {
    match value {
        Value::String(it) => each(it),
        Value::Array(it) => it.iter().for_each(|it| texts(it, each)),
        Value::Object(it) => it.values().for_each(|it| texts(it, each)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A wallet's address that nobody has.
fn address() -> String {
    format!("0x{}00000000", WorkerId::generate().0.simple())
}

/// The request of a step with its texts mapped, and names and request ids that nobody has used.
fn fresh_request(step: &Step, map: impl Fn(&str) -> String + Copy) -> Value {
    fn walk(value: &Value, map: impl Fn(&str) -> String + Copy) -> Value {
        match value {
            Value::String(it) => map(it).into(),
            Value::Array(it) => it.iter().map(|it| walk(it, map)).collect(),
            Value::Object(it) => it
                .iter()
                .map(|(key, value)| match key.as_str() {
                    "slug" => (key.clone(), format!("s{}", WorkerId::generate().0.simple()).into()),
                    "email" if value.is_string() => {
                        (key.clone(), format!("{}@x.test", WorkerId::generate()).into())
                    }
                    "request_id" | "name" | "message_id" => {
                        (key.clone(), WorkerId::generate().to_string().into())
                    }
                    "address" => (key.clone(), address().into()),
                    _ => (key.clone(), walk(value, map)),
                })
                .collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }
    walk(&step.request, map)
}

/// What an answer tells, but for the ids that were asked for and what differs between any two calls.
fn told(answer: Result<Value, Status>, asked: &[String]) -> String {
    match answer {
        Ok(value) if is_created(&value) => "made one of its own".to_owned(),
        // Results of many calls name what was asked for, as errors do.
        Ok(value) => asked.iter().fold(value.to_string(), |text, id| text.replace(id, "…")),
        Err(status) => {
            let (code, message, details) = without_ids(&status, asked);
            format!("{code:?} {message} {}", String::from_utf8_lossy(&details))
        }
    }
}

/// Whether the answer is something new, which differs from call to call.
fn is_created(value: &Value) -> bool {
    let made = |it: &Value| it["create_time"].is_string();
    made(value) || made(&value["api_key"])
}

#[tokio::test]
async fn another_organization_learns_nothing_from_any_method() {
    Tour::go(&mut Stranger).await;
}
