//! The statements that a worker's token fences, by the module and the function that each is in.

use super::{TTL, changes};
use runtime_service::{
    engine::state::Verb,
    store::{
        actions,
        events::{self, NewEvent},
        executions::{self, End, pauses},
        input_requests::{self, NewInputRequest},
        lease::{Lease, WriteError, WriteResult},
        queue::{self, Leave},
        signals::{self, NewSignal},
        steps::{self, decisions},
        turns::{self, Change, Changed, Fate, StepRow},
        workflow_data::{self, NewData},
    },
};
use serde_json::{Value, json};
use shared_db::{
    enums::{EventType, MemberRole, StepDecision, StepState},
    error::Reason,
    ids::{AgentId, InputRequestId, SignalId},
    scope::Tx,
};
use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

/// The name of a signal, and the key of data that is waited for.
pub(super) const NAME: &str = "go";
pub(super) const KEY: &str = "key";

/// Each, and in how many ways it is tried. An end and a pause send others first, which stop them already; those are here by themselves.
pub(super) const STATEMENTS: [(&str, usize); 24] = [
    ("actions::close_open", 1),
    ("events::append", 1),
    ("executions::announce", 1),
    ("executions::ends::end", 3),
    ("executions::pauses::ready", 1),
    ("executions::pauses::request", 2),
    ("executions::requeue", 1),
    ("input_requests::cancel_open", 1),
    ("input_requests::expire", 1),
    ("input_requests::open", 1),
    ("queue::lock_held", 1),
    ("queue::release", 1),
    ("queue::request_cancel", 1),
    ("signals::send", 1),
    ("signals::take", 1),
    ("steps::close", 2),
    ("steps::close_open", 1),
    ("steps::decisions::decide", 3),
    ("steps::note", 1),
    ("steps::open", 1),
    ("turns::apply::apply", 7),
    ("workflow_data::await_key", 1),
    ("workflow_data::put", 1),
    ("workflow_data::wait_no_more", 1),
];

/// Those that are answered in the same way by an execution that has nothing for them: that they changed nothing has to be seen.
pub(super) const SAYS_NOTHING: [&str; 3] =
    ["signals::take", "workflow_data::put", "workflow_data::wait_no_more"];

/// Those that only lock.
pub(super) const CHANGES_NOTHING: [&str; 1] = ["queue::lock_held"];

/// The text that makes a statement one of these.
const FENCES: [&str; 3] = ["fenced!(", "lease_token = $", "lease_token = asked.token"];

/// The same list as the source of the service has it.
pub(super) fn in_the_source() -> Vec<String> {
    let store = Path::new(env!("CARGO_MANIFEST_DIR")).join("../runtime-service/src/store");
    let (mut found, mut folders) = (Vec::new(), vec![store.clone()]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.extend(in_file(&store, &path));
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

fn in_file(store: &Path, path: &PathBuf) -> Vec<String> {
    let module = path.strip_prefix(store).unwrap().with_extension("");
    let module = module.to_str().unwrap().replace('/', "::");
    let text = fs::read_to_string(path).unwrap();
    let (mut function, mut written, mut found) = (None, None, Vec::new());
    let mut fences = FENCES.map(str::to_owned).to_vec();
    for line in text.lines() {
        if let Some((_, name)) = line.split_once("async fn ") {
            (function, written) = (name.split(['(', '<']).next(), None);
        }
        // A statement that stands in a macro is one of whoever uses the macro.
        if let Some(name) = line.strip_prefix("macro_rules! ") {
            (function, written) = (None, name.split(' ').next());
        }
        if !fences.iter().any(|it| line.contains(it)) {
            continue;
        }
        match (function, written) {
            (Some(function), _) => found.push(format!("{module}::{function}")),
            (None, Some(name)) => fences.push(format!("{name}!(")),
            (None, None) => panic!("{module} has it in no function"),
        }
    }
    found
}

/// Sends a statement. Where it counts rows, none is taken for a refusal.
pub(super) async fn statement(
    name: &str,
    variant: usize,
    tx: &mut Tx,
    lease: &Lease,
    step: &StepRow,
) -> WriteResult {
    let zero = |count: u64| if count == 0 { Err(WriteError::Fenced) } else { Ok(()) };
    let (failed, value) = (StepState::Failed, json!({ "n": 1 }));
    match name {
        "actions::close_open" => {
            actions::close_open(tx, lease, failed, "INTERNAL", "").await.and_then(zero)
        }
        "events::append" => {
            let event_type = EventType::StepStarted;
            events::append(tx, lease, NewEvent { event_type, step_key: None, payload: value })
                .await
                .map(drop)
        }
        "executions::announce" => executions::announce(tx, lease).await,
        "executions::ends::end" => executions::end(tx, lease, &end(variant)).await,
        "executions::pauses::ready" => pauses::ready(tx, lease).await,
        "executions::pauses::request" => pauses::request(tx, lease, variant == 0).await,
        "executions::requeue" => executions::requeue(tx, lease, Verb::Retry).await,
        "input_requests::cancel_open" => {
            input_requests::cancel_open(tx, lease).await.and_then(zero)
        }
        "input_requests::expire" => input_requests::expire(tx, lease, "waits").await,
        "input_requests::open" => input_requests::open(tx, lease, &question("asks")).await,
        "queue::lock_held" => queue::lock_held(tx, lease).await.map(drop),
        "queue::release" => queue::release(tx, lease, Leave::AT_ONCE).await,
        "queue::request_cancel" => queue::request_cancel(tx, lease, TTL).await,
        "signals::send" => {
            let id = SignalId::generate();
            let new = NewSignal { id, name: NAME, payload: &value, sent_by: None };
            signals::send(tx, lease, &new).await
        }
        "signals::take" => signals::take(tx, lease, NAME, "waits").await.map(drop),
        "steps::close" => {
            let outcome = if variant == 0 { Ok(&value) } else { Err(("INTERNAL", "")) };
            steps::close(tx, lease, "waits", outcome).await
        }
        "steps::close_open" => {
            steps::close_open(tx, lease, failed, "INTERNAL", "").await.and_then(zero)
        }
        "steps::decisions::decide" => {
            let decision = StepDecision::ALL[variant];
            let output = (decision == StepDecision::Succeeded).then_some(&value);
            decisions::decide(tx, lease, "asked", decision, output, None).await
        }
        "steps::note" => steps::note(tx, lease, "first", value).await,
        "steps::open" => {
            let step = StepRow { sequence: 2, ..changes::step("wait") };
            steps::open(tx, lease, &step, None).await.map(drop)
        }
        "turns::apply::apply" => {
            let change = change(variant, lease, step);
            let changed = turns::apply(tx, &[change]).await?.changed;
            if changed == [Changed::Done] { Ok(()) } else { Err(WriteError::Fenced) }
        }
        "workflow_data::await_key" => {
            workflow_data::await_key(tx, lease, lease.execution, KEY, "asks").await
        }
        "workflow_data::put" => workflow_data::put(tx, lease, &data(lease, &value)).await,
        "workflow_data::wait_no_more" => workflow_data::wait_no_more(tx, lease).await,
        _ => panic!("{name} is listed, and not sent"),
    }
}

/// A change of every fate, with a new step, and with one that is there.
pub(super) fn change(variant: usize, lease: &Lease, step: &StepRow) -> Change {
    let second = StepRow { sequence: 2, ..changes::step("second") };
    let done =
        StepRow { state: StepState::Succeeded, output: Some(json!(1)), new: false, ..step.clone() };
    let again = StepRow { attempt: 2, new: false, ..step.clone() };
    let (step, fate) = match variant {
        0 => (None, Fate::Keep),
        1 => (Some(second), Fate::Keep),
        2 => (Some(done), Fate::Keep),
        3 => (Some(again), Fate::Leave(Duration::from_secs(1))),
        4 => (Some(done), Fate::End(end(0))),
        variant => (None, Fate::End(end(variant - 4))),
    };
    let change = changes::change(lease, step);
    // The first attempt of its action is noted already.
    let actions = if matches!(variant, 1 | 3) { change.actions } else { Vec::new() };
    Change { fate, actions, ..change }
}

fn end(variant: usize) -> End {
    match variant {
        0 => End::Succeeded { output: json!(1) },
        1 => End::Failed {
            reason: Reason::AttemptsExhausted,
            message: String::new(),
            step_key: None,
        },
        _ => End::Cancelled { message: String::new() },
    }
}

/// A question of a step.
pub(super) fn question(step_key: &str) -> NewInputRequest<'_> {
    NewInputRequest {
        id: InputRequestId::generate(),
        step_key,
        request_type: "form",
        prompt: "",
        schema: None,
        least_role: MemberRole::Developer,
        user_ids: &[],
        default_response: None,
    }
}

fn data<'d>(lease: &Lease, value: &'d Value) -> NewData<'d> {
    let agent = AgentId::generate();
    let root = lease.execution;
    NewData { root, key: "new", value, data_type: "json", tags: &[], step_key: "waits", agent }
}
