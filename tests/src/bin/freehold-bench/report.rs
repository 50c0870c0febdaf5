//! What was measured, and on what.

use crate::{cases::Case, load::Sample};
use anyhow::{Context, Result};
use sqlx::{Connection, PgConnection};
use std::{collections::BTreeMap, fs, thread};

#[derive(Default)]
pub(crate) struct Samples(BTreeMap<(Case, &'static str), Vec<Sample>>);

impl Samples {
    pub(crate) fn add(&mut self, case: Case, side: &'static str, sample: Sample) {
        self.0.entry((case, side)).or_default().push(sample);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One line a case: medians of the rounds.
    pub(crate) fn print(&self) {
        println!(
            "| case | Freehold, calls/s | bare, calls/s | ratio | aimed at | Freehold p50 / p99, ms | bare p50 / p99, ms |"
        );
        println!("|---|---|---|---|---|---|---|");
        for case in crate::cases::ALL {
            let of = |side, field: fn(&Sample) -> f64| {
                let samples = self.0.get(&(case, side));
                median(samples.into_iter().flatten().map(field).collect())
            };
            let (ours, bare) = (of("freehold", |it| it.rate), of("bare", |it| it.rate));
            let ratio = ours / bare;
            let aim = case.aim().map_or_else(String::new, |aim| {
                let met = if aim <= ratio { "met" } else { "not met" };
                format!("≥ {aim}, {met}")
            });
            println!(
                "| {} | {ours:.0} | {bare:.0} | {ratio:.2} | {aim} | {:.1} / {:.1} | {:.1} / {:.1} |",
                case.title(),
                of("freehold", |it| it.p50_ms),
                of("freehold", |it| it.p99_ms),
                of("bare", |it| it.p50_ms),
                of("bare", |it| it.p99_ms),
            );
        }
    }
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// On what all of it runs.
pub(crate) async fn machine(database_url: &str) -> Result<String> {
    let mut conn =
        PgConnection::connect(database_url).await.context("DATABASE_URL does not answer")?;
    let (postgres, fsync, commit): (String, String, String) = sqlx::query_as(
        "select current_setting('server_version'), current_setting('fsync'), current_setting('synchronous_commit')",
    )
    .fetch_one(&mut conn)
    .await?;
    let processor = field("/proc/cpuinfo", "model name").unwrap_or_default();
    let memory = field("/proc/meminfo", "MemTotal").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load = load.split(' ').next().unwrap_or_default();
    let processors = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Ok(format!(
        "{processors} processors ({processor}), {memory}, load {load} before; PostgreSQL {postgres}, fsync {fsync}, \
         synchronous_commit {commit}; what is measured, the database and the load on this one machine."
    ))
}

/// The value of the first line with this name.
fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|it| it.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
