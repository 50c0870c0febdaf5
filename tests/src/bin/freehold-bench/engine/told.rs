//! Figures of the engine, and how they are told.

use crate::figures::Figure;
use std::time::Duration;

#[derive(Clone, Copy)]
pub(crate) struct Told {
    pub(crate) setting: &'static str,
    pub(crate) how: &'static str,
}

impl Told {
    pub(crate) fn figure(self, case: &str, value: f64, unit: &str) -> Figure {
        Figure {
            peer: "freehold engine".to_owned(),
            setting: self.setting.to_owned(),
            case: case.to_owned(),
            value,
            unit: unit.to_owned(),
            keeps: "the execution, its step and its events".to_owned(),
            how: self.how.to_owned(),
        }
    }

    pub(crate) fn rate(self, case: &str, executions: usize, took: Duration) -> Figure {
        self.figure(case, per_second(executions, took), "executions/s")
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of a benchmark")]
pub(crate) fn per_second(executions: usize, took: Duration) -> f64 {
    executions as f64 / took.as_secs_f64()
}
