//! Values computed from the input: nobody is called.

use super::workshop::{Standing, Workshop, quick};
use serde_json::{Value, json};

async fn ended(workshop: &Workshop, filter: &str, columns: Value, input: Value) -> Standing {
    let action =
        workshop.action_of("transform", "pure", json!({ "filter": filter }), columns).await;
    let agent = workshop.agent(json!([{ "step_key": "only", "core_action_id": action }])).await;
    let id = workshop.start(agent, input).await;
    workshop.check(id).await;
    workshop.ended(id).await
}

#[tokio::test]
async fn a_filter_makes_one_value_of_the_input() {
    let workshop = Workshop::new().await;
    let engine = workshop.engine(quick());
    let input =
        json!({ "issues": [{ "state": "open" }, { "state": "closed" }, { "state": "open" }] });
    let filter = "[.issues | group_by(.state)[] | {key: .[0].state, value: length}] | from_entries";
    let counted = ended(&workshop, filter, json!({}), input.clone()).await;
    assert_eq!(counted.output, Some(json!({ "open": 2, "closed": 1 })), "{counted:?}");
    let none = ended(&workshop, "empty", json!({}), input.clone()).await;
    assert_eq!((none.state.as_str(), none.output), ("succeeded", Some(Value::Null)));
    let kind: Vec<String> =
        sqlx::query_scalar("select distinct step_type::text from runtime.execution_steps")
            .fetch_all(&workshop.root)
            .await
            .unwrap();
    assert_eq!(kind, ["value"]);
    assert!(workshop.remote.requests().is_empty());
    engine.stop().await;
}

#[tokio::test]
async fn what_a_filter_can_not_make_fails_the_step_at_once() {
    let workshop = Workshop::new().await;
    let engine = workshop.engine(quick());
    let several = ended(&workshop, ".issues[]", json!({}), json!({ "issues": [1, 2] })).await;
    assert_eq!(several.reason.as_deref(), Some("RESPONSE_INVALID"), "{several:?}");
    let text = json!({ "output_schema": { "type": "string" } });
    let number = ended(&workshop, ".n", text, json!({ "n": 7 })).await;
    assert_eq!(number.reason.as_deref(), Some("RESPONSE_INVALID"), "{number:?}");
    let input = json!({ "input_schema": { "type": "object", "required": ["n"] } });
    let missing = ended(&workshop, ".n", input, json!({})).await;
    assert_eq!(missing.reason.as_deref(), Some("SCHEMA_MISMATCH"), "{missing:?}");
    let broken = ended(&workshop, ".a |", json!({}), json!({})).await;
    assert_eq!(broken.reason.as_deref(), Some("INVALID_FILTER"), "{broken:?}");
    engine.stop().await;
}
