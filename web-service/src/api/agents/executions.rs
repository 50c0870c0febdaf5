//! `ExecutionService`.

use crate::{
    api::request::{id, id_if_any, list_id},
    app::{
        App,
        agents::{executions, watch},
    },
};
use common_api::types::{
    CancelBatch, Execution, ExecutionExplanation, ExecutionState, ExecutionStep,
};
use futures_util::{Stream, StreamExt};
use prost_types::Timestamp;
use shared_db::{
    enums,
    error::Error,
    ids::ExecutionId,
    read::{
        executions::{
            self as read,
            lists::{self, COUNT_MAX, ExecutionFilter},
        },
        explain, steps,
    },
    service::accept,
    wire,
};
use std::{pin::Pin, time::Duration};
use tonic::{Request, Response, Result};
use web_api::v1::{self as pb, execution_service_server};

pub struct ExecutionService {
    pub app: App,
}

#[tonic::async_trait]
impl execution_service_server::ExecutionService for ExecutionService {
    type WatchExecutionStream =
        Pin<Box<dyn Stream<Item = Result<pb::WatchExecutionResponse>> + Send>>;

    async fn start_execution(
        &self,
        request: Request<pb::StartExecutionRequest>,
    ) -> Result<Response<Execution>> {
        let (caller, request) = accept(request)?;
        Ok(Response::new(executions::start(&self.app, &caller, request).await?))
    }

    async fn batch_start_executions(
        &self,
        request: Request<pb::BatchStartExecutionsRequest>,
    ) -> Result<Response<pb::BatchStartExecutionsResponse>> {
        let (caller, request) = accept(request)?;
        Ok(Response::new(executions::batch_start(&self.app, &caller, request).await?))
    }

    async fn fork_execution(
        &self,
        request: Request<pb::ForkExecutionRequest>,
    ) -> Result<Response<Execution>> {
        let (caller, request) = accept(request)?;
        Ok(Response::new(executions::fork(&self.app, &caller, request).await?))
    }

    async fn get_execution(
        &self,
        request: Request<pb::GetExecutionRequest>,
    ) -> Result<Response<Execution>> {
        let (caller, request) = accept(request)?;
        let id = id("id", &request.id)?;
        let mut tx = self.app.db.begin(caller.scope()?).await?;
        Ok(Response::new(read::get(&mut tx, caller.org()?, id).await?))
    }

    async fn list_executions(
        &self,
        request: Request<pb::ListExecutionsRequest>,
    ) -> Result<Response<pb::ListExecutionsResponse>> {
        let (caller, request) = accept(request)?;
        let org = caller.org()?;
        let filter = filter(request.clone())?;
        let list = list_id(&caller, "executions", &[&format!("{filter:?}")]);
        let page = self.app.page_tokens.open(request.page_size, &request.page_token, &list)?;
        let mut tx = self.app.db.begin_search(caller.scope()?).await?;
        let page = lists::list(&mut tx, org, &filter, &page).await?;
        Ok(Response::new(pb::ListExecutionsResponse {
            executions: page.items,
            next_page_token: self.app.page_tokens.seal(page.next, &list),
        }))
    }

    async fn cancel_execution(
        &self,
        request: Request<pb::CancelExecutionRequest>,
    ) -> Result<Response<Execution>> {
        let (caller, request) = accept(request)?;
        let id = id("id", &request.id)?;
        let how = (request.reason, request.force);
        Ok(Response::new(executions::cancel(&self.app, &caller, id, how).await?))
    }

    async fn batch_cancel_executions(
        &self,
        request: Request<pb::BatchCancelExecutionsRequest>,
    ) -> Result<Response<CancelBatch>> {
        let (caller, request) = accept(request)?;
        Ok(Response::new(executions::batch_cancel(&self.app, &caller, request).await?))
    }

    async fn pause_execution(
        &self,
        request: Request<pb::PauseExecutionRequest>,
    ) -> Result<Response<Execution>> {
        let (caller, request) = accept(request)?;
        let id = id("id", &request.id)?;
        Ok(Response::new(executions::pause(&self.app, &caller, id).await?))
    }

    async fn resume_execution(
        &self,
        request: Request<pb::ResumeExecutionRequest>,
    ) -> Result<Response<Execution>> {
        let (caller, request) = accept(request)?;
        let id = id("id", &request.id)?;
        Ok(Response::new(executions::resume(&self.app, &caller, id).await?))
    }

    async fn explain_execution(
        &self,
        request: Request<pb::ExplainExecutionRequest>,
    ) -> Result<Response<ExecutionExplanation>> {
        let (caller, request) = accept(request)?;
        let id = id("id", &request.id)?;
        let mut tx = self.app.db.begin(caller.scope()?).await?;
        Ok(Response::new(explain::get(&mut tx, caller.org()?, id).await?))
    }

    async fn signal_execution(
        &self,
        request: Request<pb::SignalExecutionRequest>,
    ) -> Result<Response<Execution>> {
        let (caller, request) = accept(request)?;
        let id = id("id", &request.id)?;
        Ok(Response::new(executions::signal(&self.app, &caller, id, request).await?))
    }

    async fn decide_step(
        &self,
        request: Request<pb::DecideStepRequest>,
    ) -> Result<Response<ExecutionStep>> {
        let (caller, request) = accept(request)?;
        let id = id("execution_id", &request.execution_id)?;
        Ok(Response::new(executions::decide(&self.app, &caller, id, request).await?))
    }

    async fn watch_execution(
        &self,
        request: Request<pb::WatchExecutionRequest>,
    ) -> Result<Response<Self::WatchExecutionStream>> {
        let (caller, request) = accept(request)?;
        let (org, id) = (caller.org()?, id("id", &request.id)?);
        let next = request.from_seq.max(1);
        let events = watch::watch(&self.app.hub, org, id, next, self.app.watch).await?;
        let events = events.map(|event| {
            event.map(|it| pb::WatchExecutionResponse { event: Some(it) }).map_err(Into::into)
        });
        Ok(Response::new(Box::pin(events)))
    }

    async fn wait_execution(
        &self,
        request: Request<pb::WaitExecutionRequest>,
    ) -> Result<Response<Execution>> {
        let (caller, request) = accept(request)?;
        let (org, id) = (caller.org()?, id("id", &request.id)?);
        let timeout = timeout(request.timeout)?;
        Ok(Response::new(executions::wait(&self.app, &caller, org, id, timeout).await?))
    }

    async fn count_executions(
        &self,
        request: Request<pb::CountExecutionsRequest>,
    ) -> Result<Response<pb::CountExecutionsResponse>> {
        let (caller, request) = accept(request)?;
        let filter = filter(of_list(request))?;
        let mut tx = self.app.db.begin_search(caller.scope()?).await?;
        let counts = lists::count(&mut tx, caller.org()?, &filter).await?;
        let total = counts.iter().map(|it| it.count).sum();
        let counts = counts.into_iter().map(|it| pb::StateCount {
            state: ExecutionState::from(it.state).into(),
            count: it.count,
        });
        let counts = counts.collect();
        let capped = COUNT_MAX <= total;
        Ok(Response::new(pb::CountExecutionsResponse { counts, total, capped }))
    }

    async fn list_execution_steps(
        &self,
        request: Request<pb::ListExecutionStepsRequest>,
    ) -> Result<Response<pb::ListExecutionStepsResponse>> {
        let (caller, request) = accept(request)?;
        let org = caller.org()?;
        let execution: ExecutionId = id("execution_id", &request.execution_id)?;
        let list = list_id(&caller, "steps", &[&request.execution_id]);
        let page = self.app.page_tokens.open(request.page_size, &request.page_token, &list)?;
        let mut tx = self.app.db.begin(caller.scope()?).await?;
        read::progress(&mut tx, org, execution).await?;
        let page = steps::list(&mut tx, org, execution, &page).await?;
        Ok(Response::new(pb::ListExecutionStepsResponse {
            steps: page.items,
            next_page_token: self.app.page_tokens.seal(page.next, &list),
        }))
    }

    async fn list_action_executions(
        &self,
        request: Request<pb::ListActionExecutionsRequest>,
    ) -> Result<Response<pb::ListActionExecutionsResponse>> {
        let (caller, request) = accept(request)?;
        let org = caller.org()?;
        let execution: ExecutionId = id("execution_id", &request.execution_id)?;
        let list = list_id(&caller, "action_executions", &[&request.execution_id]);
        let page = self.app.page_tokens.open(request.page_size, &request.page_token, &list)?;
        let mut tx = self.app.db.begin(caller.scope()?).await?;
        read::progress(&mut tx, org, execution).await?;
        let page = steps::action_executions(&mut tx, org, execution, &page).await?;
        Ok(Response::new(pb::ListActionExecutionsResponse {
            action_executions: page.items,
            next_page_token: self.app.page_tokens.seal(page.next, &list),
        }))
    }
}

fn filter(request: pb::ListExecutionsRequest) -> Result<ExecutionFilter, Error> {
    let states = request.states.into_iter().chain([request.state]);
    let states = states.filter_map(|it| ExecutionState::try_from(it).ok());
    let mut states: Vec<_> = states.filter_map(enums::ExecutionState::from_wire).collect();
    // The same states are the same list, whoever names them in which order.
    states.sort_unstable();
    states.dedup();
    let time = |field, it: Option<Timestamp>| it.map(|it| wire::time(field, it)).transpose();
    let text = |it: String| (!it.is_empty()).then_some(it);
    Ok(ExecutionFilter {
        states,
        agent: id_if_any("agent_id", &request.agent_id)?,
        session: text(request.session_id),
        parent: id_if_any("parent_execution_id", &request.parent_execution_id)?,
        created_from: time("create_time_from", request.create_time_from)?,
        created_before: time("create_time_before", request.create_time_before)?,
        error_reason: text(request.error_reason),
    })
}

/// The list that a count is of.
fn of_list(request: pb::CountExecutionsRequest) -> pb::ListExecutionsRequest {
    pb::ListExecutionsRequest {
        states: request.states,
        agent_id: request.agent_id,
        session_id: request.session_id,
        parent_execution_id: request.parent_execution_id,
        create_time_from: request.create_time_from,
        create_time_before: request.create_time_before,
        error_reason: request.error_reason,
        ..pb::ListExecutionsRequest::default()
    }
}

/// How long to wait; `None`: for as long as the call may take.
fn timeout(said: Option<prost_types::Duration>) -> Result<Option<Duration>, Error> {
    let Some(said) = said.filter(|it| *it != prost_types::Duration::default()) else {
        return Ok(None);
    };
    let millis = u64::try_from(wire::millis("timeout", said)?);
    let millis = millis.map_err(|_| Error::invalid("timeout", "must not be negative"))?;
    Ok(Some(Duration::from_millis(millis)))
}
