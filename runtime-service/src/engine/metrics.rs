//! What the engine counts and measures.

use opentelemetry::{
    KeyValue,
    metrics::{Counter, Gauge, Histogram},
};
use shared_db::{
    enums::{ExecutionState, StepState},
    service::metrics::meter,
};
use std::time::Duration;

const BOUNDARIES: [f64; 12] =
    [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 300.0];

/// Instruments of one worker process. On the page that Prometheus reads, names end in their unit.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    claimed: Counter<u64>,
    pickup: Histogram<f64>,
    finished: Counter<u64>,
    step: Histogram<f64>,
    leases_lost: Counter<u64>,
    writes_fenced: Counter<u64>,
    faults: Counter<u64>,
    queue_due: Gauge<u64>,
    queue_age: Gauge<f64>,
}

impl Metrics {
    pub(crate) fn new() -> Self {
        let meter = meter();
        // A count that begins at nothing: whoever asks for its increase would not see the first one.
        let counter = |name, about| {
            let counter = meter.u64_counter(name).with_description(about).build();
            counter.add(0, &[]);
            counter
        };
        let seconds = |name, about| {
            let histogram = meter.f64_histogram(name).with_description(about).with_unit("s");
            histogram.with_boundaries(BOUNDARIES.to_vec()).build()
        };
        Self {
            claimed: counter("freehold.engine.claimed", "executions taken from the queue"),
            pickup: seconds(
                "freehold.engine.pickup.duration",
                "from when an execution was due to its claim",
            ),
            finished: meter
                .u64_counter("freehold.engine.finished")
                .with_description("executions that ended, by state")
                .build(),
            step: seconds(
                "freehold.engine.step.duration",
                "duration of attempts of steps, by their outcome",
            ),
            leases_lost: counter(
                "freehold.engine.leases.lost",
                "leases that ended without their worker letting go",
            ),
            writes_fenced: counter(
                "freehold.engine.writes.fenced",
                "writes refused because the lease was gone",
            ),
            faults: meter
                .u64_counter("freehold.engine.faults")
                .with_description("rounds of a loop that failed, by loop")
                .build(),
            queue_due: meter
                .u64_gauge("freehold.engine.queue.due")
                .with_description("executions that could be claimed, counted up to a limit")
                .build(),
            queue_age: meter
                .f64_gauge("freehold.engine.queue.age")
                .with_description("how long the first of them has waited")
                .with_unit("s")
                .build(),
        }
    }

    pub(crate) fn claimed(&self, waited_ms: i64) {
        self.claimed.add(1, &[]);
        self.pickup
            .record(Duration::from_millis(waited_ms.max(0).unsigned_abs()).as_secs_f64(), &[]);
    }

    pub(crate) fn finished(&self, state: ExecutionState) {
        self.finished.add(1, &[KeyValue::new("state", format!("{state:?}").to_lowercase())]);
    }

    pub(crate) fn step(&self, outcome: StepState, took: Duration) {
        let outcome = KeyValue::new("outcome", format!("{outcome:?}").to_lowercase());
        self.step.record(took.as_secs_f64(), &[outcome]);
    }

    pub(crate) fn lease_lost(&self) {
        self.leases_lost.add(1, &[]);
    }

    pub(crate) fn write_fenced(&self) {
        self.writes_fenced.add(1, &[]);
    }

    pub(crate) fn fault(&self, round: &'static str) {
        self.faults.add(1, &[KeyValue::new("loop", round)]);
    }

    pub(crate) fn backlog(&self, due: i64, age_ms: i64) {
        self.queue_due.record(due.max(0).unsigned_abs(), &[]);
        self.queue_age
            .record(Duration::from_millis(age_ms.max(0).unsigned_abs()).as_secs_f64(), &[]);
    }
}
