//! Hiring: what was agreed stays agreed until somebody upgrades.

use crate::conformance::resources::needed::{made, offer};
use freehold_tests::{
    errors::assert_fails,
    stack::{Org, Stack},
};
use serde_json::{Value, json};
use shared_db::{error::Reason, ids::AgentId};
use tonic::{Code, Status};

async fn hire(org: &Org, more: Value) -> Result<Value, Status> {
    org.admin().call("HiredEmployeeService/HireEmployee", more).await
}

async fn change_offer(org: &Org, id: &str, change: Value) -> Value {
    let mask: Vec<_> = change.as_object().unwrap().keys().cloned().collect();
    let mut employee = change;
    employee["id"] = json!(id);
    let request = json!({ "virtual_employee": employee, "update_mask": mask });
    let method = "VirtualEmployeeService/UpdateVirtualEmployee";
    org.everywhere().call(method, request).await.unwrap()
}

#[tokio::test]
async fn only_who_is_listed_is_hired() {
    let org = Stack::shared().await.organization().await;
    let offer = offer(&org).await;
    change_offer(&org, &offer, json!({ "listed": false })).await;
    let result = hire(&org, json!({ "virtual_employee_id": offer })).await;
    assert_fails(result, Code::FailedPrecondition, Reason::NotListed, None);
    let never = shared_db::ids::VirtualEmployeeId::generate().to_string();
    let result = hire(&org, json!({ "virtual_employee_id": never })).await;
    assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None);
}

#[tokio::test]
async fn what_was_hired_keeps_its_terms_until_it_is_upgraded_to_what_was_shown() {
    let org = Stack::shared().await.organization().await;
    let offer = offer(&org).await;
    let hired = hire(&org, json!({ "virtual_employee_id": offer, "name": "Grace" })).await.unwrap();
    assert_eq!((&hired["version"], &hired["price_usd_monthly"]), (&json!(1), &json!("49")));
    assert_eq!(hired["name"], "Grace");
    let schema = json!({ "type": "object", "required": ["tone"] });
    let change = json!({ "price_usd_monthly": "59.5", "config_schema": schema });
    change_offer(&org, &offer, change).await;

    let id = json!({ "id": hired["id"] });
    let get = async || {
        org.viewer().call("HiredEmployeeService/GetHiredEmployee", id.clone()).await.unwrap()
    };
    assert_eq!(get().await, hired, "what is offered changes nothing that was agreed");
    let preview = async || {
        let method = "HiredEmployeeService/PreviewEmployeeUpgrade";
        org.viewer().call(method, id.clone()).await.unwrap()
    };
    let shown = preview().await;
    assert_eq!((&shown["from_version"], &shown["to_version"]), (&json!(1), &json!(2)));
    assert_eq!(shown["to_price_usd_monthly"], "59.5");
    assert_eq!(shown["to_config_schema"], schema);
    assert_eq!(shown["problems"].as_array().unwrap().len(), 1, "{shown:#}");
    assert_eq!(get().await, hired, "a preview changes nothing");

    let upgrade = async |version: i32| {
        let request = json!({ "id": hired["id"], "to_version": version });
        org.admin().call("HiredEmployeeService/UpgradeEmployee", request).await
    };
    let result = upgrade(2).await;
    assert_fails(result, Code::FailedPrecondition, Reason::SchemaMismatch, None);
    let config = json!({ "id": hired["id"], "config": { "tone": "kind" } });
    let config = json!({ "hired_employee": config, "update_mask": ["config"] });
    org.admin().call("HiredEmployeeService/UpdateHiredEmployee", config).await.unwrap();
    change_offer(&org, &offer, json!({ "price_usd_monthly": "99" })).await;
    let result = upgrade(2).await;
    assert_fails(result, Code::FailedPrecondition, Reason::VersionChanged, None);
    assert_eq!(get().await["version"], 1);
    let upgraded = upgrade(3).await.unwrap();
    assert_eq!((&upgraded["version"], &upgraded["price_usd_monthly"]), (&json!(3), &json!("99")));
    assert_eq!(upgraded["config_schema"], schema);
}

#[tokio::test]
async fn a_configuration_fits_the_schema_that_is_pinned() {
    let org = Stack::shared().await.organization().await;
    let offer = offer(&org).await;
    let schema = json!({ "type": "object", "properties": { "tone": { "type": "string" } } });
    change_offer(&org, &offer, json!({ "config_schema": schema })).await;
    let wrong = json!({ "tone": 3 });
    let result = hire(&org, json!({ "virtual_employee_id": offer, "config": wrong })).await;
    assert_fails(result, Code::InvalidArgument, Reason::SchemaMismatch, "config");
    let hired = hire(&org, json!({ "virtual_employee_id": offer })).await.unwrap();
    let update = json!({ "id": hired["id"], "config": wrong });
    let update = json!({ "hired_employee": update, "update_mask": ["config"] });
    let result = org.admin().call("HiredEmployeeService/UpdateHiredEmployee", update).await;
    assert_fails(result, Code::InvalidArgument, Reason::SchemaMismatch, "hired_employee.config");
    let no_schema = json!({ "id": offer, "config_schema": { "type": "nonsense" } });
    let request = json!({ "virtual_employee": no_schema, "update_mask": ["config_schema"] });
    let result =
        org.everywhere().call("VirtualEmployeeService/UpdateVirtualEmployee", request).await;
    let field = "virtual_employee.config_schema";
    assert_fails(result, Code::InvalidArgument, Reason::InvalidJsonSchema, field);
}

/// Stands for somebody else, whose transaction is open while an employee is changed or upgraded.
#[tokio::test]
async fn what_is_pinned_and_what_is_configured_do_not_change_past_each_other() {
    let stack = Stack::builder().without_runtime().start().await;
    let org = stack.organization().await;
    let offer = offer(&org).await;
    let hired = hire(&org, json!({ "virtual_employee_id": offer })).await.unwrap();
    let superuser = stack.database.superuser();
    let meanwhile = async |method: &str, request: Value, change: &'static str| {
        let mut other = superuser.begin().await.unwrap();
        sqlx::query("select 1 from web.hired_employees for update")
            .execute(&mut *other)
            .await
            .unwrap();
        let admin = org.admin();
        let (result, ()) = tokio::join!(admin.call(method, request), async {
            stack.database.until_somebody_waits().await;
            sqlx::query(change).execute(&mut *other).await.unwrap();
            other.commit().await.unwrap();
        });
        result
    };
    // The schema is another one by the time that a configuration is written.
    let update = json!({ "id": hired["id"], "config": { "tone": "kind" } });
    let update = json!({ "hired_employee": update, "update_mask": ["config"] });
    let pin = "update web.hired_employees set config_schema = '{\"required\": [\"pace\"]}'";
    let result = meanwhile("HiredEmployeeService/UpdateHiredEmployee", update, pin).await;
    assert_fails(result, Code::InvalidArgument, Reason::SchemaMismatch, "hired_employee.config");
    // So is the configuration by the time that a version is pinned.
    let schema = json!({ "type": "object", "properties": { "tone": { "type": "string" } } });
    let version =
        change_offer(&org, &offer, json!({ "config_schema": schema })).await["version"].clone();
    let upgrade = json!({ "id": hired["id"], "to_version": version });
    let configure = "update web.hired_employees set config = '{\"tone\": 3}'";
    let result = meanwhile("HiredEmployeeService/UpgradeEmployee", upgrade, configure).await;
    assert_fails(result, Code::FailedPrecondition, Reason::SchemaMismatch, None);
}

/// What was refused has left nothing behind, its id included.
#[tokio::test]
async fn who_is_hired_under_a_request_id_is_hired_once_and_a_refusal_takes_no_id() {
    let org = Stack::shared().await.organization().await;
    let offer = offer(&org).await;
    change_offer(&org, &offer, json!({ "listed": false })).await;
    let request = json!({ "virtual_employee_id": offer, "request_id": "hire-1" });
    let result = hire(&org, request.clone()).await;
    assert_fails(result, Code::FailedPrecondition, Reason::NotListed, None);
    change_offer(&org, &offer, json!({ "listed": true })).await;
    let hired = hire(&org, request.clone()).await.unwrap();
    // The answer is that of before, whatever has become of the offer since.
    change_offer(&org, &offer, json!({ "listed": false, "price_usd_monthly": "99" })).await;
    assert_eq!(hire(&org, request).await.unwrap(), hired);
    let trail = json!({ "resource_id": hired["id"] });
    let trail = org.admin().call("ActivityService/ListActivities", trail).await.unwrap();
    assert_eq!(trail["activities"].as_array().unwrap().len(), 1, "a repetition leaves no line");
}

#[tokio::test]
async fn its_agent_is_one_of_the_organization_and_its_address_is_its_own() {
    let stack = Stack::shared().await;
    let (org, other) = (stack.organization().await, stack.organization().await);
    let offer = offer(&org).await;
    let theirs = other.agent(&["https://example.test/"]).await;
    for agent in [theirs, AgentId::generate().to_string()] {
        let result = hire(&org, json!({ "virtual_employee_id": offer, "agent_id": agent })).await;
        assert_fails(result, Code::NotFound, Reason::ResourceNotFound, None);
    }
    let ada = json!({ "virtual_employee_id": offer, "email": "ada@example.test" });
    hire(&org, ada.clone()).await.unwrap();
    let shouted = json!({ "virtual_employee_id": offer, "email": "ADA@example.test" });
    let result = hire(&org, shouted).await;
    assert_fails(result, Code::AlreadyExists, Reason::ResourceAlreadyExists, None);
    hire(&other, ada).await.expect("another organization has its own Ada");
}

#[tokio::test]
async fn nobody_leads_who_leads_them_and_peers_meet_once() {
    let org = Stack::shared().await.organization().await;
    let offer = offer(&org).await;
    let mut staff = Vec::new();
    for _ in 0..3 {
        let hire = json!({ "virtual_employee_id": offer });
        staff.push(made(&org.admin(), "HiredEmployeeService/HireEmployee", hire).await);
    }
    let connect = async |from: usize, to: usize, kind: &str| {
        let connection = json!({
            "from_employee_id": staff[from], "to_employee_id": staff[to], "kind": format!("CONNECTION_KIND_{kind}"),
        });
        let request = json!({ "employee_connection": connection });
        org.admin().call("EmployeeConnectionService/CreateEmployeeConnection", request).await
    };
    connect(0, 1, "VERTICAL").await.unwrap();
    connect(1, 2, "VERTICAL").await.unwrap();
    for (from, to) in [(2, 0), (1, 0)] {
        let result = connect(from, to, "VERTICAL").await;
        assert_fails(result, Code::FailedPrecondition, Reason::TreeCycle, None);
    }
    let field = "employee_connection.to_employee_id";
    let result = connect(1, 1, "VERTICAL").await;
    assert_fails(result, Code::InvalidArgument, Reason::InvalidField, field);
    connect(2, 0, "HORIZONTAL").await.unwrap();
    let result = connect(0, 2, "HORIZONTAL").await;
    assert_fails(result, Code::AlreadyExists, Reason::ResourceAlreadyExists, None);
}
