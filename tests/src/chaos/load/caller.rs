//! Callers as they should be: they repeat a request under the same id until it is answered, at whichever replica.

use super::{
    Tenant, helper,
    kind::Kind,
    watcher::{self, Watched},
};
use crate::{
    chaos::clocks::{Time, delta, now},
    client::Caller,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use serde_json::json;
use shared_db::json::to_struct;
use std::{
    future::Future,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};
use tonic::{Code, Response, Status};
use tonic_types::StatusExt;
use web_api::v1::{CancelExecutionRequest, StartExecutionRequest};

/// A call that is not answered by then is made again elsewhere.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(4);
const REPEAT_DELAY: Duration = Duration::from_millis(50);

/// One execution as its caller saw it.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Its name, which the remote is told too: the organization's number comes first.
    pub run: String,
    pub kind: Kind,
    pub at: Time,
    pub not_before: Option<Time>,
    /// The first answer, and the id in it.
    pub acknowledged: Option<(Time, String)>,
    /// The id in the answer to the same request after that.
    pub again: Option<String>,
    pub refusals: Vec<Refusal>,
    pub watched: Option<Watched>,
}

/// An answer that was none.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub code: Code,
    pub message: String,
    /// Said by the service itself, and not by the wire.
    pub deliberate: bool,
}

impl Refusal {
    pub(super) fn of(status: &Status) -> Self {
        Self {
            code: status.code(),
            message: status.message().to_owned(),
            deliberate: status.get_details_error_info().is_some(),
        }
    }

    fn late() -> Self {
        let message = format!("no answer within {ANSWER_TIME_MAX:?}");
        Self { code: Code::DeadlineExceeded, message, deliberate: false }
    }
}

/// The same caller at each replica of web-service.
#[derive(Debug)]
pub(super) struct Callers {
    replicas: Vec<Caller>,
    /// How long they wait, whatever they wait for.
    pub(super) patience: Duration,
    next: AtomicUsize,
}

impl Callers {
    pub(super) fn new(replicas: Vec<Caller>, patience: Duration) -> Self {
        Self { replicas, patience, next: AtomicUsize::new(0) }
    }

    /// Another one each time.
    pub(super) fn next(&self) -> &Caller {
        &self.replicas[self.next.fetch_add(1, Ordering::Relaxed) % self.replicas.len()]
    }

    /// Calls until there is an answer, or one that says that there will be no other.
    pub(super) async fn insist<'a, T, F>(
        &'a self,
        refusals: &mut Vec<Refusal>,
        call: impl Fn(&'a Caller) -> F,
    ) -> Option<T>
    where
        F: Future<Output = Result<Response<T>, Status>>,
    {
        let insisting = async {
            loop {
                match tokio::time::timeout(ANSWER_TIME_MAX, call(self.next())).await {
                    Ok(Ok(answer)) => return Some(answer.into_inner()),
                    Ok(Err(status)) if status.code() == Code::FailedPrecondition => return None,
                    Ok(Err(status)) => refusals.push(Refusal::of(&status)),
                    Err(_) => refusals.push(Refusal::late()),
                }
                tokio::time::sleep(REPEAT_DELAY).await;
            }
        };
        tokio::time::timeout(self.patience, insisting).await.ok().flatten()
    }
}

/// Asks for one execution, and for what belongs to its kind after that.
pub(super) async fn careful(
    tenant: &Tenant,
    run: String,
    kind: Kind,
    watched: bool,
    seed: u64,
) -> Asked {
    let mut random = StdRng::seed_from_u64(seed);
    let at = now();
    let delay = Duration::from_millis(kind.delay_ms().into());
    let not_before = (!delay.is_zero()).then(|| at + delta(delay));
    let children: Vec<_> = kind.children(&run).iter().map(|it| json!({ "run": it })).collect();
    let request = StartExecutionRequest {
        agent_id: tenant.agents.of(kind).to_owned(),
        input: to_struct(json!({ "run": run, "children": children })),
        request_id: format!("run-{run}"),
        not_before: not_before.map(|it| prost_types::Timestamp {
            seconds: it.timestamp(),
            nanos: i32::try_from(it.timestamp_subsec_nanos()).unwrap_or(0),
        }),
        ..StartExecutionRequest::default()
    };
    let mut asked = Asked {
        run,
        kind,
        at,
        not_before,
        acknowledged: None,
        again: None,
        refusals: Vec::new(),
        watched: None,
    };
    let start = |caller: &Caller| {
        let (mut executions, request) = (caller.executions(), request.clone());
        async move { executions.start_execution(request).await }
    };
    let Some(answer) = tenant.callers.insist(&mut asked.refusals, start).await else {
        return asked;
    };
    asked.acknowledged = Some((now(), answer.id.clone()));
    if random.random_ratio(1, 10) {
        let again = tenant.callers.insist(&mut asked.refusals, start).await;
        asked.again = again.map(|it| it.id);
    }
    if kind.is_cancelled() {
        tokio::time::sleep(Duration::from_millis(random.random_range(50..600))).await;
        let cancel = |caller: &Caller| {
            let mut executions = caller.executions();
            let request = CancelExecutionRequest { id: answer.id.clone(), ..Default::default() };
            async move { executions.cancel_execution(request).await }
        };
        tenant.callers.insist(&mut asked.refusals, cancel).await;
    }
    let watch = async {
        if watched { Some(watcher::watch(&tenant.callers, &answer.id).await) } else { None }
    };
    let attend = helper::attend(&tenant.callers, kind, &answer.id, &mut asked.refusals);
    (asked.watched, ()) = tokio::join!(watch, attend);
    asked
}
