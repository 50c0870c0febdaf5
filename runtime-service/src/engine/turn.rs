//! A turn: what the program of an agent sees while this process holds its execution. It asks for steps; whether they are done, done
//! again or only looked up is decided here.

mod hash;
mod step;
mod undecided;
mod wait;
mod writer;

pub(crate) use step::{Finish, Found, StepCall};
pub(crate) use wait::{Opened, Outcome, Waited};

use super::{
    Core,
    write::{Write, Written},
};
use crate::store::{
    executions::End,
    lease::Lease,
    queue::{Claimed, Work},
    steps::Step,
    turns::EventRow,
};
use chrono::{DateTime, Utc};
use common_api::types::Agent;
use serde_json::{Value, json};
use shared_db::{
    enums::{EventType, ExecutionState},
    error::Reason,
};
use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

/// Why a turn is over.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The lease is gone; nothing more is written.
    Quiet,
    /// It is back in the queue.
    Left,
    /// It has ended, and that is written.
    Ended(ExecutionState),
    /// It is to be handed back.
    Release,
    /// It is to be cancelled.
    Cancel,
    /// It is to fail: reason, message, step.
    Fail(Reason, String, Option<String>),
    /// The database refuses what is to be written: a defect of this service.
    Broken(String),
}

pub(crate) struct Turn {
    pub(crate) core: Arc<Core>,
    lease: Lease,
    work: Work,
    /// Steps as they were when the turn began. Nobody else writes them while the lease holds.
    known: Mutex<HashMap<String, Step>>,
    sequence: Mutex<i32>,
    current: Mutex<Option<String>>,
    /// A call is under way that must not be repeated.
    unrepeatable: AtomicBool,
    begun: Begun,
    /// That the turn has begun is told with the first thing that it writes.
    told: AtomicBool,
}

/// The beginning of a turn.
#[derive(Clone, Debug)]
pub(crate) struct Begun {
    /// By the database's clock.
    pub(crate) at: DateTime<Utc>,
    attempt: i32,
    lost_leases: i32,
}

impl Begun {
    pub(crate) fn event(&self) -> EventRow {
        let event_type = if self.attempt == 1 {
            EventType::ExecutionStarted
        } else {
            EventType::ExecutionResumed
        };
        let payload = json!({ "attempt": self.attempt, "lost_leases": self.lost_leases });
        EventRow { event_type, step_key: None, payload, at: Some(self.at) }
    }
}

impl Turn {
    pub(super) fn new(core: Arc<Core>, claimed: Claimed, steps: Vec<Step>) -> Self {
        let sequence = steps.iter().map(|it| it.sequence).max().unwrap_or(0);
        let Claimed { lease, work, attempt, lost_leases, claimed_at, .. } = claimed;
        Self {
            core,
            lease,
            work,
            begun: Begun { at: claimed_at, attempt, lost_leases },
            told: AtomicBool::new(false),
            known: Mutex::new(steps.into_iter().map(|it| (it.step_key.clone(), it)).collect()),
            sequence: Mutex::new(sequence),
            current: Mutex::new(None),
            unrepeatable: AtomicBool::new(false),
        }
    }

    pub(crate) fn input(&self) -> &Value {
        &self.work.input
    }

    pub(crate) fn work(&self) -> &Work {
        &self.work
    }

    /// The definition that the execution began with.
    pub(super) async fn agent(&self) -> Result<Arc<Agent>, Stop> {
        let Work { agent_org_id, agent_id, agent_revision, .. } = self.work;
        let agents = &self.core.agents;
        let agent = self.read(|| agents.get(agent_org_id, agent_id, agent_revision)).await?;
        agent.ok_or_else(|| {
            let message = format!("agent {agent_id} has no revision {agent_revision} any more");
            Stop::Fail(Reason::Internal, message, None)
        })
    }

    /// The step that is under way.
    pub(super) fn current_step(&self) -> Option<String> {
        locked(&self.current).clone()
    }

    pub(super) fn is_unrepeatable(&self) -> bool {
        self.unrepeatable.load(Ordering::Acquire)
    }

    /// Ends the execution.
    pub(crate) async fn end(&self, end: End) -> Result<(), Stop> {
        self.write(&Write::End(end)).await.map(drop)
    }

    /// Cancels the execution, as somebody asked.
    pub(super) async fn cancel(&self) -> Result<(), Stop> {
        match self.write(&Write::Cancel).await {
            Ok(Written::Done | Written::Paused) => Err(Stop::Quiet),
            Ok(Written::Cancelled) => Ok(()),
            Err(stop) => Err(stop),
        }
    }

    /// Hands the execution back, for somebody else to go on at once; or to the person who asked to pause it.
    pub(super) async fn release(&self) -> Result<(), Stop> {
        self.write(&Write::Release).await?;
        self.core.wake.work_of(self.lease.org);
        Ok(())
    }

    pub(crate) fn lease(&self) -> &Lease {
        &self.lease
    }

    /// What is still to be told of the beginning of this turn.
    fn untold(&self) -> Option<&Begun> {
        (!self.told.load(Ordering::Acquire)).then_some(&self.begun)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
