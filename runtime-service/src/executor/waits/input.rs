//! People: a question is put to them, and their answer is the output.

use crate::{
    engine::{
        state::Verb,
        turn::{Opened, Outcome, Stop, Waited},
    },
    executor::{Failure, api::Context},
    store::{
        events::{self, NewEvent},
        input_requests::{self, NewInputRequest},
        lease::WriteResult,
        steps::Limit,
    },
};
use common_api::types::InputStep;
use futures_util::{FutureExt, future::BoxFuture};
use serde_json::{Value, json};
use shared_db::{
    enums::{EventType, InputRequestState, MemberRole, StepType},
    error::Reason,
    ids::InputRequestId,
    json as wire,
};
use sqlx::PgConnection;
use uuid::Uuid;

const PROMPT_CHARS_MAX: usize = 20_000;

/// What kind of answer is wanted when nothing is said.
const TYPE_DEFAULT: &str = "form";

pub(crate) struct Input {
    request_type: String,
    prompt: String,
    schema: Option<Value>,
    least_role: MemberRole,
    user_ids: Vec<Uuid>,
    default_response: Option<Value>,
    limit: Option<Limit>,
}

impl Input {
    pub(crate) fn of(context: &Context<'_>, step: &InputStep) -> Result<Self, Stop> {
        let user_ids: Result<Vec<Uuid>, _> =
            step.user_ids.iter().map(|it| Uuid::try_parse(it)).collect();
        let user_ids = user_ids.map_err(|_| {
            let message = "user_ids has something that is not the id of a user";
            context.failed(Failure::fatal(Reason::InvalidField, message))
        })?;
        let request_type = match step.request_type.as_str() {
            "" => TYPE_DEFAULT,
            it => it,
        };
        Ok(Self {
            request_type: request_type.to_owned(),
            prompt: context.text(&step.prompt, "prompt", (0, PROMPT_CHARS_MAX))?,
            schema: step.schema.clone().map(wire::from_struct),
            least_role: MemberRole::named(&step.least_role).unwrap_or(MemberRole::Developer),
            user_ids,
            default_response: step.default_response.clone().map(wire::from_value),
            limit: super::limit(step.timeout),
        })
    }

    async fn ask(&self, conn: &mut PgConnection, of: Opened<'_>) -> WriteResult {
        let id = InputRequestId::generate();
        let new = NewInputRequest {
            id,
            step_key: of.key,
            request_type: &self.request_type,
            prompt: &self.prompt,
            schema: self.schema.as_ref(),
            least_role: self.least_role,
            user_ids: &self.user_ids,
            default_response: self.default_response.as_ref(),
        };
        input_requests::open(conn, of.lease, &new).await?;
        let event = NewEvent {
            event_type: EventType::InputRequested,
            step_key: Some(of.key),
            payload: json!({ "input_request_id": id, "request_type": self.request_type }),
        };
        events::append(conn, of.lease, event).await.map(drop)
    }

    async fn answered(
        &self,
        conn: &mut PgConnection,
        of: Opened<'_>,
        over: bool,
    ) -> WriteResult<Option<Outcome>> {
        let Some(asked) = input_requests::of_step(conn, of.lease, of.key).await? else {
            let message = "its question is gone".to_owned();
            return Ok(Some(Outcome::Failed(Reason::Internal, message)));
        };
        match asked.state {
            InputRequestState::Answered => {
                Ok(Some(Outcome::Output(asked.response.unwrap_or_default())))
            }
            InputRequestState::Open if !over => Ok(None),
            InputRequestState::Open => {
                input_requests::expire(conn, of.lease, of.key).await?;
                Ok(Some(expired(asked.default_response)))
            }
            InputRequestState::Expired => Ok(Some(expired(asked.default_response))),
            InputRequestState::Cancelled => {
                let message = "its question was cancelled".to_owned();
                Ok(Some(Outcome::Failed(Reason::Cancelled, message)))
            }
        }
    }
}

fn expired(default: Option<Value>) -> Outcome {
    default.map_or_else(
        || Outcome::Failed(Reason::InputExpired, "nobody answered in time".to_owned()),
        Outcome::Output,
    )
}

impl Waited for Input {
    fn step_type(&self) -> StepType {
        StepType::Input
    }

    fn verb(&self) -> Verb {
        Verb::AwaitInput
    }

    fn limit(&self) -> Option<Limit> {
        self.limit
    }

    fn open<'w>(
        &'w self,
        conn: &'w mut PgConnection,
        of: Opened<'w>,
    ) -> BoxFuture<'w, WriteResult> {
        self.ask(conn, of).boxed()
    }

    fn look<'w>(
        &'w self,
        conn: &'w mut PgConnection,
        of: Opened<'w>,
        over: bool,
    ) -> BoxFuture<'w, WriteResult<Option<Outcome>>> {
        self.answered(conn, of, over).boxed()
    }
}
