//! What watching costs: who watches, what is watched, and what is read for it.

use opentelemetry::{
    KeyValue,
    metrics::{Counter, UpDownCounter},
};
use shared_db::service::metrics::meter;

/// What was read.
#[derive(Clone, Copy, Debug)]
pub(super) enum Read {
    /// Where an execution stands, when the first comes to watch it.
    Look,
    /// Which of all that are watched have news.
    Poll,
    /// What came, of the executions of one organization.
    News,
    /// A batch of older events.
    Batch,
}

#[derive(Clone, Debug)]
pub(super) struct Metrics {
    pub(super) watchers: UpDownCounter<i64>,
    pub(super) executions: UpDownCounter<i64>,
    reads: Counter<u64>,
}

impl Metrics {
    pub(super) fn new() -> Self {
        let meter = meter();
        let now = |name, about| meter.i64_up_down_counter(name).with_description(about).build();
        Self {
            watchers: now("freehold.watch.watchers", "streams and calls that watch an execution"),
            executions: now("freehold.watch.executions", "executions that somebody watches here"),
            reads: meter
                .u64_counter("freehold.watch.reads")
                .with_description("transactions that read for those who watch, by what they read")
                .build(),
        }
    }

    pub(super) fn read(&self, what: Read) {
        let what = match what {
            Read::Look => "look",
            Read::Poll => "poll",
            Read::News => "news",
            Read::Batch => "batch",
        };
        self.reads.add(1, &[KeyValue::new("what", what)]);
    }
}
