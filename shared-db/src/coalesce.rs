//! Commits that are shared: what tasks of one process write at the same moment goes into one transaction, and each has its answer when
//! that is committed. A commit costs the same for one row and for five hundred.

use crate::error::{Error, Reason, Result};
use futures_util::future::BoxFuture;
use std::sync::Arc;
use tokio::sync::{Mutex, mpsc, oneshot};
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
    /// Batches that may be under way at once. More of them wait less, fewer of them share more.
    pub lanes: usize,
    /// Items of one batch.
    pub batch_max: usize,
}

/// Writes a batch, all of it or nothing, and answers in its order.
pub trait Write<I, O>: Send + Sync + 'static {
    fn write<'w>(&'w self, batch: &'w [I]) -> BoxFuture<'w, Result<Vec<O>>>;
}

impl<I: Send + Sync + 'static, O: Send + 'static> Coalescer<I, O> {
    /// Starts the lanes. They end when the last handle is dropped and all that was handed in is written.
    pub fn spawn(lanes: Lanes, writer: impl Write<I, O>) -> Self {
        // Whoever hands in waits here, not in memory without end.
        let (queue, entries) = mpsc::channel(lanes.batch_max * 4);
        let (entries, writer) = (Arc::new(Mutex::new(entries)), Arc::new(writer));
        for _ in 0..lanes.lanes {
            tokio::spawn(lane(entries.clone(), lanes.batch_max, writer.clone()));
        }
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

async fn lane<I: Send + Sync, O: Send>(
    entries: Arc<Mutex<mpsc::Receiver<Entry<I, O>>>>,
    batch_max: usize,
    writer: Arc<impl Write<I, O>>,
) {
    loop {
        let mut batch = Vec::new();
        // The lane that waits takes all that is there; those behind it take what comes while it writes.
        if entries.lock().await.recv_many(&mut batch, batch_max).await == 0 {
            return;
        }
        let (items, answers): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|it| (it.item, it.answer)).unzip();
        flush(&items, answers, &*writer).await;
    }
}

async fn flush<I: Sync, O>(
    items: &[I],
    answers: Vec<oneshot::Sender<Result<O>>>,
    writer: &impl Write<I, O>,
) {
    match writer.write(items).await {
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
    use std::{sync::Mutex as Plain, time::Duration};

    /// Doubles numbers; refuses batches that hold a zero, and every batch while `away`.
    #[derive(Clone, Default)]
    struct Doubling {
        batches: Arc<Plain<Vec<usize>>>,
        away: bool,
    }

    impl Write<u32, u32> for Doubling {
        fn write<'w>(&'w self, batch: &'w [u32]) -> BoxFuture<'w, Result<Vec<u32>>> {
            Box::pin(async move {
                self.batches.lock().unwrap().push(batch.len());
                tokio::time::sleep(Duration::from_millis(5)).await;
                match batch {
                    _ if self.away => Err(unavailable()),
                    _ if batch.contains(&0) => Err(Error::invalid("number", "must not be zero")),
                    _ => Ok(batch.iter().map(|it| it * 2).collect()),
                }
            })
        }
    }

    async fn submit_all(writer: Doubling, numbers: &[u32]) -> Vec<Result<u32>> {
        let coalescer = Coalescer::spawn(Lanes { lanes: 1, batch_max: 50 }, writer);
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
