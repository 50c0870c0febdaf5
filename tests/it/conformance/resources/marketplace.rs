//! Who can be hired, and who is.

use super::needed::{made, number, offer};
use crate::conformance::resource::{Resource, Sieve, sieve};
use freehold_tests::{
    client::Caller,
    stack::{Org, Stack},
};
use serde_json::{Value, json};

/// So many that they make more pairs than any law needs.
const EMPLOYEES: usize = 12;

pub(crate) struct VirtualEmployees;

impl Resource for VirtualEmployees {
    const KIND: &'static str = "VirtualEmployee";
    const PLURAL: &'static str = "VirtualEmployees";
    const TENANT: bool = false;

    fn writer(org: &Org) -> Caller {
        org.everywhere()
    }

    fn draft(_: &Value, name: &str) -> Value {
        json!({
            "slug": name,
            "name": "Some text",
            "title": "Some text",
            "description": "Some text",
            "source": "EMPLOYEE_SOURCE_INTERNAL",
            "source_ref": "Some text",
            "price_usd_monthly": "49",
            "tags": ["one", "two"],
            "categories": ["one", "two"],
            "config_schema": { "type": "object" },
            "listed": true,
        })
    }

    fn changes(_: &Value) -> Value {
        json!({
            "name": "Other text",
            "title": "Other text",
            "description": "Other text",
            "source": "EMPLOYEE_SOURCE_KAGENT",
            "source_ref": "Other text",
            "price_usd_monthly": "59.5",
            "tags": ["three"],
            "categories": ["three"],
            "config_schema": { "type": "object", "required": ["tone"] },
            "listed": false,
        })
    }

    fn sieves(_: &Value) -> Vec<Sieve> {
        vec![
            sieve(json!({ "tag": "one" }), json!({}), json!({ "tags": ["two"] })),
            sieve(json!({ "category": "one" }), json!({}), json!({ "categories": ["two"] })),
            sieve(json!({ "listed": true }), json!({}), json!({ "listed": false })),
            sieve(json!({ "listed": false }), json!({ "listed": false }), json!({})),
            sieve(json!({ "query": "needle" }), json!({ "name": "A needle" }), json!({})),
            sieve(json!({ "query": "needle" }), json!({ "description": "A needle" }), json!({})),
            sieve(json!({ "query": "needle" }), json!({ "title": "A needle" }), json!({})),
            sieve(
                json!({ "source": "EMPLOYEE_SOURCE_KAGENT" }),
                json!({ "source": "EMPLOYEE_SOURCE_KAGENT" }),
                json!({}),
            ),
        ]
    }
}

pub(crate) struct HiredEmployees;

impl Resource for HiredEmployees {
    const KIND: &'static str = "HiredEmployee";
    const PLURAL: &'static str = "HiredEmployees";

    fn writer(org: &Org) -> Caller {
        org.admin()
    }

    fn changes(given: &Value) -> Value {
        json!({
            "name": "Other text",
            "email": "another@example.test",
            "status": "HIRED_EMPLOYEE_STATUS_PAUSED",
            "config": { "tone": "kind" },
            "shared": true,
            "agent_id": given["agent"],
        })
    }

    fn creator() -> String {
        "HiredEmployeeService/HireEmployee".to_owned()
    }

    /// Each is hired from an offer of its own.
    async fn prepare(_: &Stack, org: &Org) -> Value {
        json!({ "offer": offer(org).await, "other_offer": offer(org).await, "agent": org.agent(&["https://example.test/"]).await })
    }

    fn draft(given: &Value, name: &str) -> Value {
        json!({
            "virtual_employee_id": given["offer"],
            "name": "Ada",
            "email": format!("{name}@example.test"),
            "config": {},
            "shared": true,
            "agent_id": given["agent"],
        })
    }

    fn sieves(given: &Value) -> Vec<Sieve> {
        vec![
            sieve(
                json!({ "virtual_employee_id": given["offer"] }),
                json!({}),
                json!({ "virtual_employee_id": given["other_offer"] }),
            ),
            sieve(
                json!({ "status": "HIRED_EMPLOYEE_STATUS_PAUSED" }),
                json!({ "status": "HIRED_EMPLOYEE_STATUS_PAUSED" }),
                json!({}),
            ),
        ]
    }
}

pub(crate) struct EmployeeConnections;

impl Resource for EmployeeConnections {
    const KIND: &'static str = "EmployeeConnection";
    const PLURAL: &'static str = "EmployeeConnections";

    fn writer(org: &Org) -> Caller {
        org.admin()
    }

    fn changes(_: &Value) -> Value {
        json!({
            "description": "Other text",
        })
    }

    /// Peers can be connected once, so there are enough of them.
    async fn prepare(_: &Stack, org: &Org) -> Value {
        let offer = offer(org).await;
        let mut employees = Vec::new();
        for _ in 0..EMPLOYEES {
            let hire = json!({ "virtual_employee_id": offer });
            employees.push(made(&org.admin(), "HiredEmployeeService/HireEmployee", hire).await);
        }
        json!({ "employees": employees })
    }

    fn draft(given: &Value, name: &str) -> Value {
        let pairs =
            (0..EMPLOYEES).flat_map(|one| (one + 1..EMPLOYEES).map(move |other| (one, other)));
        let (one, other) = pairs.clone().nth(number(name) % pairs.count()).unwrap();
        json!({
            "from_employee_id": given["employees"][one],
            "to_employee_id": given["employees"][other],
            "kind": "CONNECTION_KIND_HORIZONTAL",
            "description": "They know each other",
        })
    }

    fn sieves(given: &Value) -> Vec<Sieve> {
        vec![
            sieve(
                json!({ "employee_id": given["employees"][0] }),
                json!({ "from_employee_id": given["employees"][0], "to_employee_id": given["employees"][1] }),
                json!({ "from_employee_id": given["employees"][1], "to_employee_id": given["employees"][2] }),
            ),
            sieve(
                json!({ "employee_id": given["employees"][4] }),
                json!({ "from_employee_id": given["employees"][3], "to_employee_id": given["employees"][4] }),
                json!({ "from_employee_id": given["employees"][3], "to_employee_id": given["employees"][5] }),
            ),
            sieve(
                json!({ "kind": "CONNECTION_KIND_VERTICAL" }),
                json!({ "from_employee_id": given["employees"][6], "to_employee_id": given["employees"][7], "kind": "CONNECTION_KIND_VERTICAL" }),
                json!({ "from_employee_id": given["employees"][7], "to_employee_id": given["employees"][8] }),
            ),
        ]
    }
}
