//! What the demo needs in its organization. Each is made the first time and brought up to date after that.

use anyhow::{Context, Result, bail};
use common_api::types::{
    ActionCall, Agent, AgentEndpoint, AgentType, Execution, HttpCall, IoSchema, RetryPolicy,
    SideEffect,
};
use freehold_tests::{client::Caller, reach::failed};
use prost_types::FieldMask;
use rand::distr::{Alphanumeric, SampleString};
use serde_json::{Value, json};
use shared_db::json::{to_struct, to_value};
use web_api::v1::{
    CoreAction, CreateAgentRequest, CreateCoreActionRequest, CreatePlatformRequest,
    ListAgentsRequest, ListCoreActionsRequest, ListPlatformsRequest, Platform,
    StartExecutionRequest, UpdateAgentRequest, UpdateCoreActionRequest, core_action::Kind,
};

const PAGE: i32 = 1000;

/// What the demo has done: an agent by name, its calls in order, and its input.
pub(crate) struct Task {
    pub slug: &'static str,
    pub about: &'static str,
    pub calls: Vec<Call>,
    pub input_schema: Value,
    pub input: Value,
}

/// One action, and how the agent calls it.
pub(crate) struct Call {
    pub step_key: &'static str,
    pub slug: &'static str,
    pub http: HttpCall,
    pub side_effect: SideEffect,
    pub input: Option<Value>,
}

impl Task {
    /// Two calls of the small server: one reads, and one makes something and is refused the first time.
    pub(crate) fn welcome(remote: &str) -> Self {
        let look_up = Call {
            step_key: "look_up",
            slug: "demo-look-up-customer",
            http: HttpCall {
                method: "GET".to_owned(),
                url: format!("{remote}/echo?customer={{{{ input.customer }}}}"),
                response_filter: "{found: .query}".to_owned(),
                ..HttpCall::default()
            },
            side_effect: SideEffect::Pure,
            input: None,
        };
        let ticket = Call {
            step_key: "open_ticket",
            slug: "demo-open-ticket",
            http: HttpCall {
                method: "POST".to_owned(),
                url: format!("{remote}/flaky?fail=1"),
                response_filter:
                    "{opened: .body, under_idempotency_key: .headers[\"idempotency-key\"]}"
                        .to_owned(),
                ..HttpCall::default()
            },
            side_effect: SideEffect::Idempotent,
            input: Some(json!({
                "title": "Welcome {{ input.customer }}",
                "found": "{{ steps.look_up.found }}",
            })),
        };
        Self {
            slug: "demo-welcome",
            about: "looks a customer up and opens a ticket; the remote refuses the first attempt to open it",
            calls: vec![look_up, ticket],
            input_schema: json!({
                "type": "object",
                "required": ["customer"],
                "properties": { "customer": { "type": "string", "minLength": 1 } },
            }),
            input: json!({ "customer": "Ada" }),
        }
    }

    /// One call of a real address.
    pub(crate) fn fetch(url: &str) -> Self {
        let fetch = Call {
            step_key: "fetch",
            slug: "demo-fetch",
            http: HttpCall {
                method: "GET".to_owned(),
                url: url.to_owned(),
                redirects_max: 3,
                ..HttpCall::default()
            },
            side_effect: SideEffect::Pure,
            input: None,
        };
        Self {
            slug: "demo-fetch",
            about: "gets one address",
            calls: vec![fetch],
            input_schema: json!({ "type": "object" }),
            input: json!({}),
        }
    }
}

/// The platform that the demo's actions belong to.
pub(crate) async fn platform(caller: &Caller) -> Result<String> {
    let listed = caller
        .platforms()
        .list_platforms(ListPlatformsRequest { page_size: PAGE, ..Default::default() })
        .await
        .map_err(|it| failed("ListPlatforms", &it))?;
    if let Some(known) = listed.into_inner().platforms.into_iter().find(|it| it.slug == "demo") {
        return Ok(known.id);
    }
    let platform =
        Platform { slug: "demo".to_owned(), name: "Demo".to_owned(), ..Platform::default() };
    let made = caller
        .platforms()
        .create_platform(CreatePlatformRequest { platform: Some(platform) })
        .await
        .map_err(|it| failed("CreatePlatform", &it))?;
    Ok(made.into_inner().id)
}

async fn action(caller: &Caller, platform_id: &str, call: &Call) -> Result<String> {
    let listed = caller
        .core_actions()
        .list_core_actions(ListCoreActionsRequest { page_size: PAGE, ..Default::default() })
        .await
        .map_err(|it| failed("ListCoreActions", &it))?;
    let known = listed.into_inner().core_actions.into_iter().find(|it| it.slug == call.slug);
    let kind = Some(Kind::Http(call.http.clone()));
    let Some(mut known) = known else {
        let action = CoreAction {
            slug: call.slug.to_owned(),
            name: call.slug.replace('-', " "),
            platform_id: Some(platform_id.to_owned()),
            kind,
            side_effect: call.side_effect.into(),
            retry: Some(quick_retry()),
            ..CoreAction::default()
        };
        let made = caller
            .core_actions()
            .create_core_action(CreateCoreActionRequest { core_action: Some(action) })
            .await
            .map_err(|it| failed("CreateCoreAction", &it))?;
        return Ok(made.into_inner().id);
    };
    let id = known.id.clone();
    if known.kind != kind {
        known.kind = kind;
        caller
            .core_actions()
            .update_core_action(UpdateCoreActionRequest {
                core_action: Some(known),
                update_mask: Some(mask(&["http"])),
            })
            .await
            .map_err(|it| failed("UpdateCoreAction", &it))?;
    }
    Ok(id)
}

/// Soon enough to be watched.
fn quick_retry() -> RetryPolicy {
    let delay = prost_types::Duration { seconds: 0, nanos: 400_000_000 };
    RetryPolicy {
        attempts_max: 4,
        initial_delay: Some(delay),
        delay_max: Some(delay),
        ..RetryPolicy::default()
    }
}

/// The agent, with the actions that it calls.
pub(crate) async fn agent(caller: &Caller, platform_id: &str, task: &Task) -> Result<Agent> {
    let mut calls = Vec::with_capacity(task.calls.len());
    for call in &task.calls {
        calls.push(ActionCall {
            step_key: call.step_key.to_owned(),
            core_action_id: action(caller, platform_id, call).await?,
            input: call.input.clone().map(to_value),
            retry: None,
            builtin: None,
        });
    }
    let listed = caller
        .agents()
        .list_agents(ListAgentsRequest { page_size: PAGE, ..Default::default() })
        .await
        .map_err(|it| failed("ListAgents", &it))?;
    let known = listed.into_inner().agents.into_iter().find(|it| it.slug == task.slug);
    let endpoint = Some(AgentEndpoint { calls });
    let Some(mut known) = known else {
        let agent = Agent {
            slug: task.slug.to_owned(),
            name: task.slug.replace('-', " "),
            description: task.about.to_owned(),
            r#type: AgentType::Api.into(),
            endpoint,
            io_schema: Some(IoSchema { input: to_struct(task.input_schema.clone()), output: None }),
            ..Agent::default()
        };
        let made = caller
            .agents()
            .create_agent(CreateAgentRequest { agent: Some(agent), request_id: String::new() })
            .await
            .map_err(|it| failed("CreateAgent", &it))?;
        return Ok(made.into_inner());
    };
    if known.endpoint == endpoint {
        return Ok(known);
    }
    known.endpoint = endpoint;
    let updated = caller
        .agents()
        .update_agent(UpdateAgentRequest {
            agent: Some(known),
            update_mask: Some(mask(&["endpoint"])),
        })
        .await
        .map_err(|it| failed("UpdateAgent", &it))?;
    Ok(updated.into_inner())
}

fn mask(paths: &[&str]) -> FieldMask {
    FieldMask { paths: paths.iter().map(|it| (*it).to_owned()).collect() }
}

/// Starts an execution, twice under one request id: the second answer must be the first one.
pub(crate) async fn start(caller: &Caller, agent: &Agent, task: &Task) -> Result<Execution> {
    let request = StartExecutionRequest {
        agent_id: agent.id.clone(),
        input: Some(to_struct(task.input.clone()).context("the input is not an object")?),
        request_id: format!("demo-{}", Alphanumeric.sample_string(&mut rand::rng(), 16)),
        ..StartExecutionRequest::default()
    };
    let first = caller.executions().start_execution(request.clone()).await;
    let first = first.map_err(|it| failed("StartExecution", &it))?.into_inner();
    let again = caller.executions().start_execution(request).await;
    let again = again.map_err(|it| failed("StartExecution, again", &it))?.into_inner();
    if first.id != again.id {
        bail!("one request id made two executions: {} and {}", first.id, again.id);
    }
    Ok(first)
}
