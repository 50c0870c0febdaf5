//! Many starts in one call: each is accepted or refused by itself, and those without keys share commits.

use super::{Executions, is_refusal};
use common_api::types::{Execution, StartError, StartResult, start_result};
use futures_util::future::join_all;
use runtime_api::v1 as pb;
use shared_db::{
    error::{Error, Result, reason_name},
    service::caller::Caller,
};
use std::collections::HashSet;
use tonic::Code;

impl Executions {
    /// A result for each request, in their order. What may pass another time fails the whole: it is sent again, and what was accepted by
    /// then is found under its id.
    pub async fn start_batch(
        &self,
        caller: &Caller,
        requests: Vec<pb::StartExecutionRequest>,
    ) -> Result<pb::BatchStartExecutionsResponse> {
        let org = caller.org()?;
        let agents: HashSet<_> =
            requests.iter().filter_map(|it| it.agent_id.parse().ok()).collect();
        for agent in agents {
            // Read once for all of them; what is wrong with it is said to each.
            drop(self.agents.get(org, agent).await);
        }
        let started = join_all(requests.into_iter().map(|it| self.start(caller, it))).await;
        let results = started.into_iter().map(result).collect::<Result<_>>()?;
        Ok(pb::BatchStartExecutionsResponse { results })
    }
}

fn result(started: Result<Execution>) -> Result<StartResult> {
    let result = match started {
        Ok(it) => {
            // The caller has what it sent, and all answers together must fit into one message.
            let short = Execution { input: None, initial_prompt: String::new(), ..it };
            start_result::Result::Execution(short)
        }
        Err(error) if is_refusal(&error) || error.kind().0 == Code::AlreadyExists => {
            start_result::Result::Error(told(&error))
        }
        Err(error) => return Err(error),
    };
    Ok(StartResult { result: Some(result) })
}

fn told(error: &Error) -> StartError {
    let (code, reason) = error.kind();
    StartError {
        code: code.into(),
        reason: reason_name(reason).to_owned(),
        message: error.to_string(),
    }
}
