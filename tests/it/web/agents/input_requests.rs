//! Questions to people: found and answered by those whom they are for.

use super::{fresh, trail, until, world};
use freehold_tests::{
    errors::{assert_fails, fields},
    stack::Org,
};
use serde_json::{Value, json};
use shared_db::error::Reason;
use tonic::{Code, Status};

/// An agent whose only step asks, with these fields.
async fn asking(org: &Org, fields: Value) -> String {
    let call = json!({ "step_key": "ask", "request_input": fields });
    org.agent_with(json!({ "endpoint": { "calls": [call] } })).await
}

/// The question of a new execution of `agent`, once it is put.
async fn question(org: &Org, agent: &str) -> Value {
    let execution = org.start(agent, json!({ "name": "Ada" })).await;
    let request = json!({ "execution_id": execution });
    until("a question", async || {
        let list = list(org, request.clone()).await;
        list.into_iter().next()
    })
    .await
}

async fn list(org: &Org, request: Value) -> Vec<Value> {
    let page = org.viewer().call("InputRequestService/ListInputRequests", request).await.unwrap();
    page["input_requests"].as_array().unwrap().clone()
}

fn answer_of(question: &Value, response: &Value) -> Value {
    json!({ "id": question["id"], "response": response })
}

const ANSWER: &str = "InputRequestService/AnswerInputRequest";

#[tokio::test]
async fn a_question_that_could_not_be_answered_is_refused_when_the_agent_is_written() {
    let (_stack, org) = world().await;
    let place = "agent.endpoint.calls[0].request_input";
    for (fields, field, reason) in [
        (json!({ "schema": { "type": "nothing" } }), "schema", Reason::InvalidJsonSchema),
        (json!({ "prompt": "{{ input." }), "prompt", Reason::InvalidTemplate),
        (
            json!({ "schema": { "type": "object" }, "default_response": 3 }),
            "default_response",
            Reason::SchemaMismatch,
        ),
        (json!({ "least_role": "king" }), "least_role", Reason::InvalidField),
        (json!({ "timeout": "0.1s" }), "timeout", Reason::InvalidField),
        (json!({ "user_ids": ["me"] }), "user_ids[0]", Reason::InvalidField),
    ] {
        let calls = json!([{ "step_key": "ask", "request_input": fields }]);
        let agent = json!({
            "slug": "asks", "name": "Asks", "type": "AGENT_TYPE_API", "endpoint": { "calls": calls },
        });
        let made =
            org.developer().call("AgentService/CreateAgent", json!({ "agent": agent })).await;
        let place = format!("{place}.{field}");
        assert_fails(made, Code::InvalidArgument, reason, place.as_str());
    }
}

#[tokio::test]
async fn an_answer_that_does_not_match_names_the_places_and_one_that_is_too_long_is_refused() {
    let (_stack, org) = world().await;
    let schema = json!({
        "type": "object",
        "required": ["days"],
        "properties": { "days": { "type": "integer" }, "names": { "type": "array", "items": { "type": "string" } } },
    });
    let agent = asking(&org, json!({ "schema": schema })).await;
    let question = question(&org, &agent).await;
    let wrong = answer_of(&question, &json!({ "days": "x", "names": ["a", 1] }));
    let status = org.developer().call(ANSWER, wrong).await.unwrap_err();
    assert_eq!(fields(&status), ["response/days", "response/names/1"]);
    let refused: Result<Value, Status> = Err(status);
    assert_fails(refused, Code::InvalidArgument, Reason::SchemaMismatch, None);
    let long = json!({ "days": 1, "names": ["x".repeat(256 << 10)] });
    let refused = org.developer().call(ANSWER, answer_of(&question, &long)).await;
    assert_fails(refused, Code::InvalidArgument, Reason::InvalidField, "response");
    let missing = org.developer().call(ANSWER, json!({ "id": question["id"] })).await;
    assert_fails(missing, Code::InvalidArgument, Reason::InvalidField, "response");
    assert_eq!(list(&org, json!({ "state": "INPUT_REQUEST_STATE_OPEN" })).await.len(), 1);
}

#[tokio::test]
async fn only_those_answer_whom_it_is_for() {
    let (_stack, org) = world().await;
    let viewers = question(&org, &asking(&org, json!({ "least_role": "viewer" })).await).await;
    let plain = question(&org, &asking(&org, json!({})).await).await;
    let named = json!({ "user_ids": [org.admin.user_id], "least_role": "viewer" });
    let named = question(&org, &asking(&org, named).await).await;
    let owners = question(&org, &asking(&org, json!({ "least_role": "owner" })).await).await;
    let mine = async |caller: freehold_tests::client::Caller| -> Vec<Value> {
        let request = json!({ "only_mine": true });
        let page = caller.call("InputRequestService/ListInputRequests", request).await.unwrap();
        page["input_requests"].as_array().unwrap().iter().map(|it| it["id"].clone()).collect()
    };
    let ids = |them: &[&Value]| them.iter().map(|it| it["id"].clone()).collect::<Vec<_>>();
    assert_eq!(mine(org.viewer()).await, ids(&[&viewers]));
    assert_eq!(mine(org.developer()).await, ids(&[&plain, &viewers]));
    assert_eq!(mine(org.admin()).await, ids(&[&named, &plain, &viewers]));
    assert_eq!(mine(org.owner()).await, ids(&[&owners, &plain, &viewers]));
    for (caller, question) in [
        (org.viewer(), &plain),
        (org.developer(), &named),
        (org.owner(), &named),
        (org.admin(), &owners),
    ] {
        let refused = caller.call(ANSWER, answer_of(question, &json!(1))).await;
        assert_fails(refused, Code::PermissionDenied, Reason::InputNotYours, None);
    }
    for (caller, question, user) in [
        (org.viewer(), &viewers, &org.viewer),
        (org.admin(), &named, &org.admin),
        (org.owner(), &owners, &org.owner),
    ] {
        let answered = caller.call(ANSWER, answer_of(question, &json!("yes"))).await.unwrap();
        assert_eq!(answered["responded_by"], json!(user.user_id));
        assert_eq!(answered["state"], "INPUT_REQUEST_STATE_ANSWERED");
        let execution = org.finish(answered["execution_id"].as_str().unwrap()).await;
        assert_eq!(execution["output"], "yes");
    }
}

#[tokio::test]
async fn it_is_answered_once_and_found_afterwards() {
    let (_stack, org) = world().await;
    let agent =
        asking(&org, json!({ "prompt": "For {{ input.name }}?", "request_type": "approval" }))
            .await;
    let question = question(&org, &agent).await;
    assert_eq!(question["prompt"], "For Ada?");
    assert_eq!(
        (&question["request_type"], &question["least_role"]),
        (&json!("approval"), &json!("developer"))
    );
    assert_eq!(question["input"], json!({ "name": "Ada" }));
    let yes = answer_of(&question, &json!({ "approved": true }));
    let first = org.developer().call(ANSWER, yes.clone()).await.unwrap();
    let again = org.developer().call(ANSWER, yes.clone()).await.unwrap();
    assert_eq!(first, again);
    let other = org.admin().call(ANSWER, yes).await;
    assert_fails(other, Code::FailedPrecondition, Reason::InputRequestClosed, None);
    let no = answer_of(&question, &json!({ "approved": false }));
    let other = org.developer().call(ANSWER, no).await;
    assert_fails(other, Code::FailedPrecondition, Reason::InputRequestClosed, None);
    let get = json!({ "id": question["id"] });
    let found = org.viewer().call("InputRequestService/GetInputRequest", get).await.unwrap();
    assert_eq!(found, first);
    let trail = trail(&org, question["id"].as_str().unwrap()).await;
    assert_eq!(trail.first().map(String::as_str), Some("AnswerInputRequest"));
    assert_eq!(
        list(&org, json!({ "state": "INPUT_REQUEST_STATE_OPEN" })).await,
        Vec::<Value>::new()
    );
}

#[tokio::test]
async fn an_answer_under_a_request_id_is_given_once() {
    let (_stack, org) = world().await;
    let agent = asking(&org, json!({ "least_role": "admin" })).await;
    let question = question(&org, &agent).await;
    let mut yes = answer_of(&question, &json!(true));
    yes["request_id"] = json!(fresh());
    // What was refused left nothing behind.
    let refused = org.developer().call(ANSWER, yes.clone()).await;
    assert_fails(refused, Code::PermissionDenied, Reason::InputNotYours, None);
    let first = org.admin().call(ANSWER, yes.clone()).await.unwrap();
    assert_eq!(org.admin().call(ANSWER, yes.clone()).await.unwrap(), first);
    yes["response"] = json!(false);
    let again = org.admin().call(ANSWER, yes).await;
    assert_fails(again, Code::AlreadyExists, Reason::RequestIdReused, None);
    assert_eq!(trail(&org, question["id"].as_str().unwrap()).await, ["AnswerInputRequest"]);
}

#[tokio::test]
async fn another_organization_finds_no_question() {
    let (stack, org) = world().await;
    let question = question(&org, &asking(&org, json!({ "least_role": "viewer" })).await).await;
    let stranger = stack.organization().await;
    let get = json!({ "id": question["id"] });
    let found = stranger.owner().call("InputRequestService/GetInputRequest", get).await;
    assert_fails(found, Code::NotFound, Reason::ResourceNotFound, None);
    let answered = stranger.owner().call(ANSWER, answer_of(&question, &json!(1))).await;
    assert_fails(answered, Code::NotFound, Reason::ResourceNotFound, None);
    assert_eq!(list(&stranger, json!({})).await, Vec::<Value>::new());
}
