//! One watched execution: how far it has come, and the batches of events that were read last, for all who watch it.

use super::{
    hub::Key,
    metrics::{Metrics, Read},
    reader::WAIT_MIN,
};
use anyhow::anyhow;
use common_api::types::ExecutionEvent;
use shared_db::{
    error::{Error, Reason, Result},
    ids::{ExecutionId, OrganizationId},
    read::executions::{
        self, Progress,
        events::{self, Events, Most, News},
    },
    scope::{Db, Scope},
};
use std::{
    collections::VecDeque,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::{
    sync::{OnceCell, Semaphore, watch},
    time::{Instant, timeout},
};

/// What is read at a time for somebody who is behind. Sizes are those on the wire.
const BATCH: Most = Most { events: 100, bytes: 128 << 10 };

/// What is kept of an execution for others who come by: the newest batch, and older ones up to this.
const KEPT_BYTES_MAX: usize = 512 << 10;
const KEPT_BATCHES_MAX: usize = 64;

/// How long one read may take.
const READ_TIMEOUT: Duration = Duration::from_secs(5);

/// How far an execution has come, as far as is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// `seq` of its newest event.
    pub(super) last: i64,
    /// Nothing comes after `last`, and why.
    pub(super) end: Option<End>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Final,
    /// It was removed.
    Gone,
    /// The database has not answered for so long that those who watch should know.
    Unreachable,
    /// A defect of the service.
    Unreadable,
}

impl End {
    /// What it is to one who watches.
    pub(super) fn outcome(self, id: ExecutionId) -> Result<()> {
        match self {
            Self::Final => Ok(()),
            Self::Gone => Err(Error::not_found("execution", id)),
            Self::Unreachable => Err(unavailable()),
            Self::Unreadable => Err(Error::internal(anyhow!("execution {id} can not be read"))),
        }
    }
}

/// Events that were read together and follow each other without a gap.
#[derive(Debug)]
pub(super) struct Batch(Events);

impl Batch {
    /// The event `seq`, if it is one of these.
    pub(super) fn get(&self, seq: i64) -> Option<&ExecutionEvent> {
        let first = self.0.list.first()?.seq;
        usize::try_from(seq - first).ok().and_then(|at| self.0.list.get(at))
    }
}

/// When to look at it next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    pub(super) due: Instant,
    pub(super) wait: Duration,
}

impl Pace {
    fn quick() -> Self {
        Self { due: Instant::now() + WAIT_MIN, wait: WAIT_MIN }
    }
}

#[derive(Debug)]
pub(super) struct Subject {
    pub(super) org: OrganizationId,
    pub(super) id: ExecutionId,
    db: Db,
    metrics: Metrics,
    opened: OnceCell<()>,
    known: watch::Sender<Known>,
    kept: Mutex<VecDeque<Arc<Batch>>>,
    /// Whoever reads a batch; the others wait, and find it read.
    reading: tokio::sync::Mutex<()>,
    /// Reads of batches at once, for all that is watched here.
    readers: Arc<Semaphore>,
    pace: Mutex<Pace>,
}

impl Subject {
    pub(super) fn new((org, id): Key, db: Db, metrics: Metrics, readers: Arc<Semaphore>) -> Self {
        Self {
            org,
            id,
            db,
            metrics,
            opened: OnceCell::new(),
            known: watch::Sender::new(Known { last: 0, end: None }),
            kept: Mutex::default(),
            reading: tokio::sync::Mutex::default(),
            readers,
            pace: Mutex::new(Pace::quick()),
        }
    }

    /// Looks whether there is such an execution, and where it stands: once, whoever asks.
    pub(super) async fn open(&self) -> Result<()> {
        self.opened.get_or_try_init(|| self.look()).await.copied()
    }

    /// Reads where it stands, and nothing of what came.
    pub(super) async fn look(&self) -> Result<()> {
        self.metrics.read(Read::Look);
        let progress = bounded(async {
            let mut tx = self.db.begin(Scope::Tenant(self.org, None)).await?;
            executions::progress(&mut tx, self.org, self.id).await
        });
        self.learn(progress.await?);
        Ok(())
    }

    /// Whether there may be news.
    pub(super) fn is_open(&self) -> bool {
        self.opened.initialized() && self.known.borrow().end.is_none()
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Known> {
        self.known.subscribe()
    }

    /// `seq` of the newest event that is known of.
    pub(super) fn last(&self) -> i64 {
        self.known.borrow().last
    }

    pub(super) fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what came: those who watch find it read when they hear of it.
    pub(super) fn hear(&self, news: News) {
        if news.events.list.first().is_some_and(|it| it.seq == self.last() + 1) {
            self.keep(Arc::new(Batch(news.events)));
        }
        self.learn(news.progress);
    }

    fn learn(&self, progress: Progress) {
        *self.pace() = Pace::quick();
        self.known.send_if_modified(|known| {
            let before = *known;
            known.last = known.last.max(progress.last_event_seq);
            if progress.state.is_final() {
                known.end = Some(End::Final);
            }
            *known != before
        });
    }

    pub(super) fn end(&self, end: End) {
        self.known.send_modify(|known| known.end = Some(end));
    }

    /// A batch with the event `seq`, which must be one of those that are known of: one that is at hand, or read now.
    pub(super) async fn batch(&self, seq: i64) -> Result<Arc<Batch>> {
        if let Some(batch) = self.kept(seq) {
            return Ok(batch);
        }
        let _reading = self.reading.lock().await;
        if let Some(batch) = self.kept(seq) {
            return Ok(batch);
        }
        let _reader = self.readers.acquire().await.map_err(Error::internal)?;
        self.metrics.read(Read::Batch);
        let read = bounded(async {
            let mut tx = self.db.begin_search(Scope::Tenant(self.org, None)).await?;
            events::list(&mut tx, self.org, self.id, seq, BATCH).await
        });
        let events = read.await?;
        if events.list.is_empty() {
            return Err(Error::HistoryTruncated { first_seq: self.last() + 1 });
        }
        let batch = Arc::new(Batch(events));
        self.keep(batch.clone());
        Ok(batch)
    }

    fn kept(&self, seq: i64) -> Option<Arc<Batch>> {
        self.lock_kept().iter().rev().find(|it| it.get(seq).is_some()).cloned()
    }

    fn keep(&self, batch: Arc<Batch>) {
        let mut kept = self.lock_kept();
        kept.push_back(batch);
        let mut bytes: usize = kept.iter().map(|it| it.0.bytes).sum();
        while 1 < kept.len() && (KEPT_BATCHES_MAX < kept.len() || KEPT_BYTES_MAX < bytes) {
            bytes -= kept.pop_front().map_or(0, |it| it.0.bytes);
        }
    }

    fn lock_kept(&self) -> MutexGuard<'_, VecDeque<Arc<Batch>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives a read up that takes too long: nobody's deadline may stand behind it.
pub(super) async fn bounded<T>(read: impl Future<Output = Result<T>>) -> Result<T> {
    timeout(READ_TIMEOUT, read).await.unwrap_or_else(|_| Err(unavailable()))
}

fn unavailable() -> Error {
    Error::Unavailable {
        reason: Reason::DatabaseUnavailable,
        problem: "the database does not answer; watch again from the next seq".into(),
    }
}
