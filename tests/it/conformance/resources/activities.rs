//! The audit trail.

use crate::conformance::resource::Resource;
use freehold_tests::{client::Caller, stack::Org};
use serde_json::{Value, json};

/// Made by whatever changes something; here by the creation of an action.
pub(crate) struct Activities;

impl Resource for Activities {
    const KIND: &'static str = "Activity";
    const PLURAL: &'static str = "Activities";
    const SIEVED_ELSEWHERE: &'static [(&'static str, &'static str)] = &[
        ("resource_type", "web/identity/activities"),
        ("resource_id", "web/identity/activities"),
        ("actor_user_id", "web/identity/activities"),
        ("action", "web/identity/activities"),
    ];

    fn reader(org: &Org) -> Caller {
        org.admin()
    }

    fn draft(_: &Value, name: &str) -> Value {
        let http = json!({ "method": "GET", "url": "https://example.test/" });
        json!({ "slug": name, "name": name, "http": http })
    }

    fn create_request(draft: Value) -> Value {
        json!({ "core_action": draft })
    }

    fn creator() -> String {
        "CoreActionService/CreateCoreAction".to_owned()
    }

    async fn found(reader: &Caller, _: &Value, created: Value) -> Value {
        let request = json!({ "resource_id": created["id"] });
        let mut list = reader.call("ActivityService/ListActivities", request).await.unwrap();
        assert_eq!(list["activities"].as_array().unwrap().len(), 1, "{list:#}");
        list["activities"][0].take()
    }

    fn given_back(_: Value) -> Value {
        json!({ "action": "CreateCoreAction", "resource_type": "core_action" })
    }
}
