//! The reader of all that is watched in this process: it asks which executions have news, and reads that once for all who watch.
//!
//! One statement asks for every execution that is due, of all organizations, and learns no more than which have changed; what came
//! is read in the scope of its organization. A hint leads to the second at once. Where nothing comes, it asks ever more rarely.

use super::{
    hub::Hub,
    metrics::Read,
    subject::{End, Subject, bounded},
};
use futures_util::{StreamExt, stream};
use shared_db::{
    error::{Error, Result, chain},
    ids::{ExecutionId, OrganizationId},
    read::executions::events::{self, Most},
    scope::Scope,
    wake::Wake,
};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tonic::Code;

/// How long until an execution is looked at again: twice as long each time that there was nothing, up to the second, or the third
/// while hints arrive.
pub(super) const WAIT_MIN: Duration = Duration::from_millis(20);
const WAIT_MAX: Duration = Duration::from_millis(250);
const WAIT_WITH_HINTS_MAX: Duration = Duration::from_secs(1);

/// Executions that one statement asks about.
const POLL_MAX: usize = 1000;

/// Executions of which one statement reads the news, and what it reads.
const NEWS_OF_MAX: usize = 16;
const NEWS: Most = Most { events: 32, bytes: 512 << 10 };

/// Organizations whose news are read at once.
const NEWS_READERS: usize = 4;

/// After a read that failed; and how long they may fail before those who watch are told.
const FAILURE_DELAY: Duration = Duration::from_millis(250);
const OUTAGE_MAX: Duration = Duration::from_secs(10);

type Subjects = Vec<Arc<Subject>>;

impl Hub {
    /// Reads for all who watch, until `stop`. While nobody watches it reads nothing.
    pub async fn run(self, stop: CancellationToken) -> anyhow::Result<()> {
        let mut failing: Option<Instant> = None;
        loop {
            let wake = tokio::select! {
                wake = self.0.hints.next() => Some(wake),
                () = self.until_due() => None,
                () = stop.cancelled() => return Ok(()),
            };
            let Err(error) = self.round(wake).await else {
                failing = None;
                continue;
            };
            if failing.is_none() {
                let error = chain(&error);
                tracing::warn!(%error, "watched executions can not be read; it is tried again");
            }
            if OUTAGE_MAX < failing.get_or_insert_with(Instant::now).elapsed() {
                self.give_up();
            }
            tokio::select! {
                () = sleep(FAILURE_DELAY) => {}
                () = stop.cancelled() => return Ok(()),
            }
        }
    }

    /// Until something is due.
    async fn until_due(&self) {
        loop {
            let due = self.open_subjects().iter().map(|it| it.pace().due).min();
            let due = async {
                match due {
                    Some(at) => sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = due => return,
                () = self.0.opened.notified() => {}
            }
        }
    }

    /// Reads what a hint has named, and asks about the rest that is due.
    async fn round(&self, wake: Option<Wake<ExecutionId>>) -> Result<()> {
        let (mut changed, due) = self.pick(wake);
        for due in due.chunks(POLL_MAX) {
            changed.extend(self.poll(due).await?);
        }
        let mut by_org: HashMap<OrganizationId, Subjects> = HashMap::new();
        for subject in changed {
            by_org.entry(subject.org).or_default().push(subject);
        }
        let reads = by_org
            .iter()
            .flat_map(|(org, all)| all.chunks(NEWS_OF_MAX).map(|some| self.read_news(*org, some)));
        let reads = stream::iter(reads.collect::<Vec<_>>()).buffer_unordered(NEWS_READERS);
        // All of them, also when one fails: organizations do not wait for each other.
        reads.collect::<Vec<_>>().await.into_iter().collect()
    }

    /// What a hint has named, and what is due.
    fn pick(&self, wake: Option<Wake<ExecutionId>>) -> (Subjects, Subjects) {
        let now = Instant::now();
        let (named, all) = match wake {
            Some(Wake::These(ids)) => (ids, false),
            Some(Wake::Everything) => (HashSet::new(), true),
            None => (HashSet::new(), false),
        };
        let (named, others): (Subjects, Subjects) =
            self.open_subjects().into_iter().partition(|it| named.contains(&it.id));
        for subject in &named {
            // If the read fails, the next round asks.
            subject.pace().due = now;
        }
        let is_due = |it: &Arc<Subject>| {
            let pace = *it.pace();
            // A little early, so that many are asked about together.
            all || pace.due <= now + pace.wait / 4
        };
        (named, others.into_iter().filter(is_due).collect())
    }

    /// Those of `due` that have changed; the others are looked at later.
    async fn poll(&self, due: &[Arc<Subject>]) -> Result<Subjects> {
        self.0.metrics.read(Read::Poll);
        let known: Vec<_> = due.iter().map(|it| (it.org, it.id, it.last())).collect();
        let changed: HashSet<_> = bounded(async {
            let mut tx = self.0.db.begin_search(Scope::Platform).await?;
            events::changed(&mut tx, &known).await
        })
        .await?
        .into_iter()
        .collect();
        let live = self.0.hints.is_live();
        let wait_max = if live { WAIT_WITH_HINTS_MAX } else { WAIT_MAX };
        let mut subjects = Vec::new();
        for subject in due {
            if changed.contains(&(subject.org, subject.id)) {
                subjects.push(subject.clone());
            } else {
                let mut pace = subject.pace();
                pace.wait = (pace.wait * 2).min(wait_max);
                pace.due = Instant::now() + pace.wait;
            }
        }
        Ok(subjects)
    }

    /// Reads what came to executions of an organization, and tells those who watch.
    async fn read_news(&self, org: OrganizationId, subjects: &[Arc<Subject>]) -> Result<()> {
        self.0.metrics.read(Read::News);
        let next: Vec<_> = subjects.iter().map(|it| (it.id, it.last() + 1)).collect();
        let news = bounded(async {
            let mut tx = self.0.db.begin_search(Scope::Tenant(org, None)).await?;
            events::news(&mut tx, org, &next, NEWS).await
        });
        let mut news: HashMap<_, _> = match news.await {
            Ok(news) => news.into_iter().map(|it| (it.id, it)).collect(),
            Err(error) if error.kind().0 == Code::Internal => {
                let error = chain(&error);
                tracing::error!(%org, %error, "news can not be read; each is looked at alone");
                return self.look_alone(subjects).await;
            }
            Err(error) => return Err(error),
        };
        for subject in subjects {
            match news.remove(&subject.id) {
                Some(news) => subject.hear(news),
                None => self.part_with(subject, End::Gone),
            }
        }
        Ok(())
    }

    /// One of them can not be read. Nobody else is to suffer for that: those who watch it find out when they read it themselves.
    async fn look_alone(&self, subjects: &[Arc<Subject>]) -> Result<()> {
        for subject in subjects {
            match subject.look().await {
                Ok(()) => {}
                Err(Error::NotFound { .. }) => self.part_with(subject, End::Gone),
                Err(error) if error.kind().0 == Code::Internal => {
                    self.part_with(subject, End::Unreadable);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Whoever watches it is told that there is no more, and why; whoever comes next begins anew.
    fn part_with(&self, subject: &Arc<Subject>, end: End) {
        self.forget(subject);
        subject.end(end);
    }

    /// Tells all who watch that there is nothing to be learnt here now.
    fn give_up(&self) {
        for subject in self.open_subjects() {
            self.part_with(&subject, End::Unreachable);
        }
    }
}
