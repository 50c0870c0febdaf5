//! What the demo prints as it goes.

use crate::objects::Task;
use anyhow::{Result, bail};
use common_api::types::{
    ActionExecution, Agent, EventType, Execution, ExecutionError, ExecutionEvent, ExecutionState,
    StepState,
};
use freehold_tests::{client::Caller, reach::failed};
use prost_types::Timestamp;
use shared_db::json::{from_struct, from_value};
use std::io::{IsTerminal, stdout};
use web_api::v1::{
    GetExecutionRequest, ListActionExecutionsRequest, ListExecutionStepsRequest,
    WatchExecutionRequest,
};

/// Characters of a value that are printed at most.
const SHOWN_MAX: usize = 600;

pub(crate) fn title(text: &str) {
    if stdout().is_terminal() {
        println!("\n\x1b[1m{text}\x1b[0m");
    } else {
        println!("\n{text}");
    }
}

pub(crate) fn defined(task: &Task, agent: &Agent) {
    title(&format!("Agent {} (revision {})", agent.slug, agent.revision));
    println!("  {}", task.about);
    for call in &task.calls {
        println!("  {:<12} {} {}", call.step_key, call.http.method, call.http.url);
    }
}

/// Prints each event as it happens, to the final one, and checks that none is missing.
pub(crate) async fn events(caller: &Caller, id: &str) -> Result<()> {
    title(&format!("Events of execution {id}"));
    let request = WatchExecutionRequest { id: id.to_owned(), from_seq: 1 };
    let watched = caller.executions().watch_execution(request).await;
    let mut stream = watched.map_err(|it| failed("WatchExecution", &it))?.into_inner();
    let (mut expected, mut begin) = (1, None);
    let mut last = EventType::Unspecified;
    while let Some(next) = stream.message().await.map_err(|it| failed("WatchExecution", &it))? {
        let Some(event) = next.event else { bail!("WatchExecution sent no event") };
        if event.seq != expected {
            bail!("event {expected} is missing: {} came instead", event.seq);
        }
        expected += 1;
        let at = *begin.get_or_insert(millis(event.create_time.as_ref()));
        line(&event, at);
        last = event.r#type();
    }
    let finals =
        [EventType::ExecutionSucceeded, EventType::ExecutionFailed, EventType::ExecutionCancelled];
    if !finals.contains(&last) {
        bail!("the events ended with {}, which is not final", last.as_str_name());
    }
    Ok(())
}

fn line(event: &ExecutionEvent, begin: i64) {
    let name = event.r#type().as_str_name().trim_start_matches("EVENT_TYPE_").to_lowercase();
    let payload = event.payload.clone().map(from_struct).unwrap_or_default();
    let payload = if payload.as_object().is_none_or(serde_json::Map::is_empty) {
        String::new()
    } else {
        short(&payload.to_string(), 100)
    };
    println!(
        "  {:>3}  +{:>5} ms  {name:<20} {:<12} {payload}",
        event.seq,
        millis(event.create_time.as_ref()) - begin,
        event.step_key,
    );
}

pub(crate) async fn steps(caller: &Caller, id: &str) -> Result<()> {
    let request = ListExecutionStepsRequest { execution_id: id.to_owned(), ..Default::default() };
    let listed = caller.executions().list_execution_steps(request).await;
    let steps = listed.map_err(|it| failed("ListExecutionSteps", &it))?.into_inner().steps;
    title("Steps");
    for step in steps {
        let state = state(step.state());
        println!(
            "  {:>3}  {:<12} {state:<10} attempt {}",
            step.sequence, step.step_key, step.attempt
        );
        if let Some(output) = step.output {
            println!("       {}", short(&from_value(output).to_string(), SHOWN_MAX));
        }
    }
    Ok(())
}

pub(crate) async fn action_executions(caller: &Caller, id: &str) -> Result<()> {
    let request = ListActionExecutionsRequest { execution_id: id.to_owned(), ..Default::default() };
    let listed = caller.executions().list_action_executions(request).await;
    let rows = listed.map_err(|it| failed("ListActionExecutions", &it))?.into_inner();
    title("action_executions");
    for row in &rows.action_executions {
        attempt(row);
    }
    if rows.action_executions.is_empty() {
        bail!("no action was performed");
    }
    Ok(())
}

fn attempt(row: &ActionExecution) {
    let took =
        row.duration.as_ref().map_or(0, |it| it.seconds * 1000 + i64::from(it.nanos) / 1_000_000);
    println!(
        "  {}  attempt {}  {:<9} HTTP {}  {took} ms{}",
        row.id,
        row.attempt,
        state(row.state()),
        row.http_status,
        row.error.as_ref().map(|it| format!("  {}", error(it))).unwrap_or_default(),
    );
    if !row.idempotency_key.is_empty() {
        println!("       idempotency key {}", row.idempotency_key);
    }
    for (name, value) in [("request", &row.request), ("response", &row.response)] {
        if let Some(value) = value {
            println!(
                "       {name:<8} {}",
                short(&from_value(value.clone()).to_string(), SHOWN_MAX)
            );
        }
    }
}

/// Prints how it ended and what came out.
pub(crate) async fn result(caller: &Caller, id: &str) -> Result<Execution> {
    let got = caller.executions().get_execution(GetExecutionRequest { id: id.to_owned() }).await;
    let execution = got.map_err(|it| failed("GetExecution", &it))?.into_inner();
    let took = millis(execution.end_time.as_ref()) - millis(execution.create_time.as_ref());
    title(&format!("Result: {} after {took} ms", execution_state(execution.state())));
    if let Some(output) = &execution.output {
        let pretty = serde_json::to_string_pretty(&from_value(output.clone()))?;
        println!("{}", indent(&short(&pretty, SHOWN_MAX * 2)));
    }
    if let Some(it) = &execution.error {
        println!("  {}", error(it));
    }
    Ok(execution)
}

fn error(error: &ExecutionError) -> String {
    format!("{}: {}", error.reason, error.message)
}

fn state(state: StepState) -> String {
    state.as_str_name().trim_start_matches("STEP_STATE_").to_lowercase()
}

fn execution_state(state: ExecutionState) -> String {
    state.as_str_name().trim_start_matches("EXECUTION_STATE_").to_lowercase()
}

fn millis(time: Option<&Timestamp>) -> i64 {
    time.map_or(0, |it| it.seconds * 1000 + i64::from(it.nanos) / 1_000_000)
}

fn short(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        Some((at, _)) => format!("{}… ({} bytes)", &text[..at], text.len()),
        None => text.to_owned(),
    }
}

fn indent(text: &str) -> String {
    text.lines().map(|it| format!("  {it}")).collect::<Vec<_>>().join("\n")
}
