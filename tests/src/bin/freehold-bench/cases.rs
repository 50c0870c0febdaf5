//! The four cases, and what they need to be there.

use anyhow::{Result, bail, ensure};
use common_api::types::{
    ActionCall, Agent, AgentEndpoint, AgentType, EventType, HttpCall, SideEffect,
};
use freehold_tests::{client::Caller, reach::failed};
use rand::distr::{Alphanumeric, SampleString};
use tonic::metadata::AsciiMetadataValue;
use web_api::v1::{
    CoreAction, CreateAgentRequest, CreateCoreActionRequest, CreateNoteRequest, GetNoteRequest,
    ListNotesRequest, Note, StartExecutionRequest, WatchExecutionRequest, core_action::Kind,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Case {
    Read,
    List,
    Create,
    Execute,
}

pub(crate) const ALL: [Case; 4] = [Case::Read, Case::List, Case::Create, Case::Execute];

/// Notes that are there before anything is listed.
const NOTES: u64 = 200;

impl Case {
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Read => "read (GetNote)",
            Self::List => "page of 50 (ListNotes)",
            Self::Create => "create (CreateNote)",
            Self::Execute => "execute (start to final event, one HTTP call)",
        }
    }

    /// Of the bare handler's rate, at the least.
    pub(crate) fn aim(self) -> Option<f64> {
        match self {
            Self::Read | Self::List => Some(0.7),
            Self::Create => Some(0.8),
            Self::Execute => None,
        }
    }
}

/// What the calls are about.
struct Subjects {
    agent: Agent,
    organization_id: String,
    note_id: String,
}

pub(crate) struct Cases {
    subjects: Subjects,
    /// Distinguishes this run's names from those of earlier ones.
    run: String,
}

impl Cases {
    pub(crate) async fn prepare(caller: &Caller, remote: &str) -> Result<Self> {
        let run = Alphanumeric.sample_string(&mut rand::rng(), 8).to_lowercase();
        let action = create_action(caller, new_action(&format!("bench-{run}"), remote)).await?;
        let call = ActionCall {
            step_key: "echo".to_owned(),
            core_action_id: action.id.clone(),
            ..ActionCall::default()
        };
        let agent = Agent {
            slug: format!("bench-{run}"),
            name: "bench".to_owned(),
            r#type: AgentType::Api.into(),
            endpoint: Some(AgentEndpoint { calls: vec![call] }),
            ..Agent::default()
        };
        let made = caller
            .agents()
            .create_agent(CreateAgentRequest { agent: Some(agent), request_id: String::new() })
            .await
            .map_err(|it| failed("CreateAgent", &it))?;
        let mut note_id = String::new();
        for n in 0..NOTES {
            note_id = create_note(caller, tonic::Request::new(new_note(&run, n))).await?.id;
        }
        let organization_id = action.organization_id;
        let subjects = Subjects { agent: made.into_inner(), organization_id, note_id };
        Ok(Self { subjects, run })
    }

    pub(crate) async fn call(&self, case: Case, side: &str, caller: &Caller, n: u64) -> Result<()> {
        match case {
            Case::Read => self.read(caller).await,
            Case::List => self.list(caller).await,
            Case::Create => {
                let request = self.in_organization(new_note(&self.run, n))?;
                create_note(caller, request).await.map(drop)
            }
            Case::Execute => self.execute(side, caller, n).await,
        }
    }

    async fn read(&self, caller: &Caller) -> Result<()> {
        let request = GetNoteRequest { id: self.subjects.note_id.clone() };
        let got = caller.notes().get_note(self.in_organization(request)?).await;
        got.map_err(|it| failed("GetNote", &it))?;
        Ok(())
    }

    async fn list(&self, caller: &Caller) -> Result<()> {
        let request = self.in_organization(ListNotesRequest::default())?;
        let page = caller.notes().list_notes(request).await;
        let page = page.map_err(|it| failed("ListNotes", &it))?.into_inner();
        ensure!(page.notes.len() == 50, "a page has {} notes", page.notes.len());
        Ok(())
    }

    /// Freehold accepts and then tells of the end; the bare handler answers when it is done.
    async fn execute(&self, side: &str, caller: &Caller, n: u64) -> Result<()> {
        let request = StartExecutionRequest {
            agent_id: self.subjects.agent.id.clone(),
            request_id: format!("bench-{}-{n}", self.run),
            ..StartExecutionRequest::default()
        };
        let mut executions = caller.executions();
        let started = executions.start_execution(self.in_organization(request)?).await;
        let id = started.map_err(|it| failed("StartExecution", &it))?.into_inner().id;
        if side == "bare" {
            return Ok(());
        }
        let request = WatchExecutionRequest { id, from_seq: 1 };
        let watched = executions.watch_execution(request).await;
        let mut events = watched.map_err(|it| failed("WatchExecution", &it))?.into_inner();
        let mut last = EventType::Unspecified;
        while let Some(it) = events.message().await.map_err(|it| failed("WatchExecution", &it))? {
            last = it.event.unwrap_or_default().r#type();
        }
        if last != EventType::ExecutionSucceeded {
            bail!("an execution ended with {}", last.as_str_name());
        }
        Ok(())
    }

    /// Names the organization: Freehold knows it by the key, the bare handler knows nothing.
    fn in_organization<T>(&self, message: T) -> Result<tonic::Request<T>> {
        let mut request = tonic::Request::new(message);
        let org: AsciiMetadataValue = self.subjects.organization_id.parse()?;
        request.metadata_mut().insert("x-freehold-org", org);
        Ok(request)
    }
}

fn new_action(slug: &str, remote: &str) -> CoreAction {
    let http = HttpCall {
        method: "GET".to_owned(),
        url: format!("{remote}/status/200"),
        ..HttpCall::default()
    };
    CoreAction {
        slug: slug.to_owned(),
        name: "bench".to_owned(),
        kind: Some(Kind::Http(http)),
        side_effect: SideEffect::Pure.into(),
        ..CoreAction::default()
    }
}

fn new_note(run: &str, n: u64) -> CreateNoteRequest {
    let note = Note {
        title: format!("Note {n} of {run}"),
        body: "What somebody wanted to remember, in a line or two. ".repeat(4),
        tags: vec!["bench".to_owned()],
        ..Note::default()
    };
    CreateNoteRequest { note: Some(note) }
}

async fn create_note(caller: &Caller, request: tonic::Request<CreateNoteRequest>) -> Result<Note> {
    let made = caller.notes().create_note(request).await;
    Ok(made.map_err(|it| failed("CreateNote", &it))?.into_inner())
}

async fn create_action(caller: &Caller, action: CoreAction) -> Result<CoreAction> {
    let request = CreateCoreActionRequest { core_action: Some(action) };
    let made = caller.core_actions().create_core_action(request).await;
    Ok(made.map_err(|it| failed("CreateCoreAction", &it))?.into_inner())
}
