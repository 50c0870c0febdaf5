//! Templates of research: what can not work is refused when it is written.

use freehold_tests::{errors::assert_fails, stack::Stack};
use serde_json::{Value, json};
use shared_db::error::Reason;
use tonic::Code;

#[tokio::test]
async fn a_template_or_schema_that_is_none_is_refused() {
    let org = Stack::shared().await.organization().await;
    let create = async |field: &str, value: Value| {
        let mut template = json!({ "name": "R", "prompt_template": "{{ item }}", "items_max": 3 });
        template[field] = value;
        let request = json!({ "research_template": template });
        org.developer().call("ResearchTemplateService/CreateResearchTemplate", request).await
    };
    let field = "research_template.prompt_template";
    let result = create("prompt_template", json!("{{ item")).await;
    assert_fails(result, Code::InvalidArgument, Reason::InvalidTemplate, field);
    let field = "research_template.input_schema";
    let result = create("input_schema", json!({ "type": 3 })).await;
    assert_fails(result, Code::InvalidArgument, Reason::InvalidJsonSchema, field);
    let result = create("items_max", json!(1001)).await;
    let field = "research_template.items_max";
    assert_fails(result, Code::InvalidArgument, Reason::InvalidField, field);
    assert_eq!(create("items_max", json!(0)).await.unwrap()["items_max"], 50);
}
