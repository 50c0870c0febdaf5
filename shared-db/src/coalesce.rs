//! Commits that are shared: what tasks of one process write at the same moment goes into one transaction, and each has its answer when
//! that is committed. A commit costs the same for one row and for five hundred.

use crate::error::{Error, Reason, Result};
use futures_util::future::BoxFuture;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
};
use tonic::Code;

/// Hands items to whoever writes them, many at a time.
#[derive(Debug)]
pub struct Coalescer<I, O> {
    queue: mpsc::Sender<Entry<I, O>>,
}

impl<I, O> Clone for Coalescer<I, O> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone() }
    }
}

#[derive(Debug)]
struct Entry<I, O> {
    item: I,
    answer: oneshot::Sender<Result<O>>,
}

/// How items are gathered.
#[derive(Clone, Copy, Debug)]
pub struct Lanes {
    /// Batches that may be under way at once.
    pub lanes: usize,
    /// While a batch is under way, fewer items than these wait for its end and share the next one: what a statement and a commit cost
    /// by themselves is as much as some dozens of rows, and who waits for a small batch waits no longer than for a commit.
    pub batch_min: usize,
    /// How long they wait for it. A commit takes less; what takes more is held up, and must hold up nobody else.
    pub patience: Duration,
    /// Items of one batch.
    pub batch_max: usize,
}

impl Lanes {
    /// Two batches may be under way, so that one is gathered and sent while the other is committed.
    pub const fn of(batch_max: usize) -> Self {
        Self { lanes: 2, batch_min: 32, patience: Duration::from_millis(20), batch_max }
    }
}

/// Writes a batch, all of it or nothing, and answers in its order.
pub trait Write<I, O>: Send + Sync + 'static {
    fn write<'w>(&'w self, batch: &'w [I]) -> BoxFuture<'w, Result<Vec<O>>>;
}

impl<I: Send + Sync + 'static, O: Send + 'static> Coalescer<I, O> {
    /// Starts to gather. It ends when the last handle is dropped and all that was handed in is written.
    pub fn spawn(lanes: Lanes, writer: impl Write<I, O>) -> Self {
        // Whoever hands in waits here, not in memory without end.
        let (queue, entries) = mpsc::channel(lanes.batch_max * 4);
        tokio::spawn(gather(entries, lanes, Arc::new(writer)));
        Self { queue }
    }

    /// Writes `item` with whatever else is to be written now. An error that may pass does not say whether it was written.
    pub async fn submit(&self, item: I) -> Result<O> {
        let (answer, heard) = oneshot::channel();
        let gone = |()| unavailable();
        self.queue.send(Entry { item, answer }).await.map_err(|_| gone(()))?;
        heard.await.map_err(|_| gone(()))?
    }
}

async fn gather<I: Send + Sync + 'static, O: Send + 'static>(
    mut entries: mpsc::Receiver<Entry<I, O>>,
    lanes: Lanes,
    writer: Arc<impl Write<I, O>>,
) {
    let mut under_way = JoinSet::new();
    let mut batch = Vec::new();
    while entries.recv_many(&mut batch, lanes.batch_max).await > 0 {
        let patience = tokio::time::sleep(lanes.patience);
        tokio::pin!(patience);
        while !may_leave(batch.len(), under_way.len(), lanes, patience.is_elapsed()) {
            let room = lanes.batch_max - batch.len();
            tokio::select! {
                _ = under_way.join_next() => {}
                () = &mut patience, if !patience.is_elapsed() => {}
                came = entries.recv_many(&mut batch, room), if room > 0 => if came == 0 {
                    // Nobody hands in anything any more: what is there leaves when it may.
                    under_way.join_next().await;
                }
            }
        }
        under_way.spawn(flush(std::mem::take(&mut batch), writer.clone()));
    }
    while under_way.join_next().await.is_some() {}
}

fn may_leave(items: usize, under_way: usize, lanes: Lanes, impatient: bool) -> bool {
    let worth_it = impatient || lanes.batch_min <= items;
    under_way == 0 || (under_way < lanes.lanes && worth_it)
}

async fn flush<I: Send + Sync, O: Send>(batch: Vec<Entry<I, O>>, writer: Arc<impl Write<I, O>>) {
    let (items, answers): (Vec<_>, Vec<_>) =
        batch.into_iter().map(|it| (it.item, it.answer)).unzip();
    match writer.write(&items).await {
        // Whoever has gone away needs no answer.
        Ok(written) => answers.into_iter().zip(written).for_each(|(to, it)| drop(to.send(Ok(it)))),
        Err(error) if answers.len() > 1 && !is_passing(&error) => {
            // One of them can not be written. Each by itself, so that it stands in nobody's way.
            for (item, to) in items.iter().zip(answers) {
                let written = writer.write(std::slice::from_ref(item)).await;
                let only = written.and_then(|it| it.into_iter().next().ok_or_else(unavailable));
                drop(to.send(only));
            }
        }
        Err(error) => {
            tracing::warn!(error = %crate::error::chain(&error), items = items.len(), "a shared commit failed");
            let mut first = Some(error);
            for to in answers {
                drop(to.send(Err(first.take().unwrap_or_else(unavailable))));
            }
        }
    }
}

fn is_passing(error: &Error) -> bool {
    matches!(error.kind().0, Code::Unavailable | Code::DeadlineExceeded)
}

fn unavailable() -> Error {
    let problem =
        "the database did not take a shared commit; whether it was written is unknown".into();
    Error::Unavailable { reason: Reason::DatabaseUnavailable, problem }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::future::{BoxFuture, join_all};
    use std::sync::{
        Mutex as Plain,
        atomic::{AtomicUsize, Ordering},
    };

    /// Doubles numbers; refuses batches that hold a zero, and every batch while `away`.
    #[derive(Clone)]
    struct Doubling {
        batches: Arc<Plain<Vec<usize>>>,
        under_way: Arc<AtomicUsize>,
        most_under_way: Arc<AtomicUsize>,
        takes: Duration,
        away: bool,
    }

    impl Default for Doubling {
        fn default() -> Self {
            Self {
                batches: Arc::default(),
                under_way: Arc::default(),
                most_under_way: Arc::default(),
                takes: Duration::from_millis(5),
                away: false,
            }
        }
    }

    impl Write<u32, u32> for Doubling {
        fn write<'w>(&'w self, batch: &'w [u32]) -> BoxFuture<'w, Result<Vec<u32>>> {
            Box::pin(async move {
                self.batches.lock().unwrap().push(batch.len());
                let under_way = self.under_way.fetch_add(1, Ordering::Relaxed) + 1;
                self.most_under_way.fetch_max(under_way, Ordering::Relaxed);
                tokio::time::sleep(self.takes).await;
                self.under_way.fetch_sub(1, Ordering::Relaxed);
                match batch {
                    _ if self.away => Err(unavailable()),
                    _ if batch.contains(&0) => Err(Error::invalid("number", "must not be zero")),
                    _ => Ok(batch.iter().map(|it| it * 2).collect()),
                }
            })
        }
    }

    fn lanes(lanes: usize, batch_min: usize, batch_max: usize) -> Lanes {
        Lanes { lanes, batch_min, ..Lanes::of(batch_max) }
    }

    async fn submit_all(writer: Doubling, numbers: &[u32]) -> Vec<Result<u32>> {
        let coalescer = Coalescer::spawn(lanes(1, 1, 50), writer);
        join_all(numbers.iter().map(|it| coalescer.submit(*it))).await
    }

    #[tokio::test]
    async fn what_comes_at_once_shares_batches_and_each_has_its_own_answer() {
        let writer = Doubling::default();
        let numbers: Vec<_> = (1..=200).collect();
        let answers = submit_all(writer.clone(), &numbers).await;
        let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
        assert_eq!(answers, numbers.iter().map(|it| it * 2).collect::<Vec<_>>());
        let batches = writer.batches.lock().unwrap().clone();
        assert!(batches.len() < 12, "{batches:?}");
        assert!(batches.iter().all(|it| *it <= 50), "{batches:?}");
    }

    /// Hands in one item, and the others while that is under way; returns the batches, and how many of them were under way at once.
    async fn after_the_first(patience: Duration, others: u32) -> (Vec<usize>, usize) {
        let writer = Doubling { takes: Duration::from_millis(100), ..Doubling::default() };
        let lanes = Lanes { patience, ..lanes(2, 4, 4) };
        let coalescer = Coalescer::spawn(lanes, writer.clone());
        let first = coalescer.submit(1);
        let others = async {
            tokio::time::sleep(Duration::from_millis(1)).await;
            join_all((0..others).map(|it| coalescer.submit(it + 2))).await
        };
        let (first, others) = tokio::join!(first, others);
        assert!(first.is_ok() && others.iter().all(Result::is_ok));
        let batches = writer.batches.lock().unwrap().clone();
        (batches, writer.most_under_way.load(Ordering::Relaxed))
    }

    #[tokio::test]
    async fn a_few_wait_for_the_batch_under_way_and_many_do_not() {
        let patience = Duration::from_secs(10);
        assert_eq!(after_the_first(patience, 3).await, (vec![1, 3], 1));
        assert_eq!(after_the_first(patience, 4).await, (vec![1, 4], 2));
        assert_eq!(after_the_first(patience, 10).await, (vec![1, 4, 4, 2], 2));
    }

    #[tokio::test]
    async fn nobody_waits_for_a_batch_that_is_held_up() {
        let patience = Duration::from_millis(1);
        assert_eq!(after_the_first(patience, 1).await, (vec![1, 1], 2));
    }

    #[tokio::test]
    async fn what_was_handed_in_is_written_when_nobody_hands_in_any_more() {
        let writer = Doubling::default();
        let coalescer = Coalescer::spawn(lanes(2, 10, 50), writer);
        let answers = (1..=3).map(|it| {
            let coalescer = coalescer.clone();
            tokio::spawn(async move { coalescer.submit(it).await })
        });
        let answers: Vec<_> = answers.collect();
        tokio::task::yield_now().await;
        drop(coalescer);
        for answer in answers {
            assert!(answer.await.unwrap().is_ok());
        }
    }

    #[tokio::test]
    async fn one_that_can_not_be_written_stands_in_nobodys_way() {
        let answers = submit_all(Doubling::default(), &[1, 0, 2, 3]).await;
        assert!(matches!(answers[1], Err(Error::Invalid { .. })));
        let others: Vec<_> = answers.into_iter().flatten().collect();
        assert_eq!(others, [2, 4, 6]);
    }

    #[tokio::test]
    async fn when_the_database_is_away_everybody_is_told() {
        let writer = Doubling { away: true, ..Doubling::default() };
        let answers = submit_all(writer, &[1, 2, 3]).await;
        assert!(
            answers.iter().all(|it| matches!(it, Err(Error::Unavailable { .. }))),
            "{answers:?}"
        );
    }
}
