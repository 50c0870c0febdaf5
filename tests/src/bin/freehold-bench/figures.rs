//! Figures: medians over the rounds, one table, and the same for programs.

use crate::report::median;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::{fs, path::Path};

const NOOP: &str = "noop_per_second";

/// The columns of the table: a case, and its title.
const CASES: [(&str, &str); 5] = [
    (NOOP, "no-op jobs/s"),
    ("enqueue_single_per_second", "enqueue, 64 single calls under way, jobs/s"),
    ("enqueue_bulk_per_second", "enqueue, batches of 1000, jobs/s"),
    ("latency_at_50_per_second_p50", "enqueue → start at 50/s, p50 ms"),
    ("latency_at_50_per_second_p99", "p99 ms"),
];

/// One measured value: a line of a peer's output.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct Figure {
    /// Who was measured.
    pub peer: String,
    /// Which of its settings; `how` describes it.
    pub setting: String,
    pub case: String,
    pub value: f64,
    pub unit: String,
    /// What is in the database when a job is done.
    pub keeps: String,
    pub how: String,
}

#[derive(Debug, Serialize)]
struct Measured {
    /// `value` is the median.
    #[serde(flatten)]
    figure: Figure,
    /// The value of each round.
    rounds: Vec<f64>,
}

/// Who was measured, in which setting, and in which way.
type How<'s> = (&'s str, &'s str, &'s str);

/// In the order in which they came.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Figures {
    conditions: String,
    figures: Vec<Measured>,
}

impl Figures {
    pub(crate) fn new(conditions: String) -> Self {
        Self { conditions, figures: Vec::new() }
    }

    pub(crate) fn add(&mut self, figure: Figure) {
        let same = |it: &&mut Measured| {
            it.figure.peer == figure.peer
                && it.figure.setting == figure.setting
                && it.figure.case == figure.case
        };
        if let Some(known) = self.figures.iter_mut().find(same) {
            known.rounds.push(figure.value);
            known.figure.value = median(known.rounds.clone());
        } else {
            self.figures.push(Measured { rounds: vec![figure.value], figure });
        }
    }

    pub(crate) fn add_all(&mut self, figures: Vec<Figure>) {
        for figure in figures {
            self.add(figure);
        }
    }

    /// The medians of a case, of all settings.
    pub(crate) fn of<'s>(&'s self, case: &'s str) -> impl Iterator<Item = &'s Figure> {
        self.figures.iter().map(|it| &it.figure).filter(move |it| it.case == case)
    }

    /// The median of a case; `None` if it was not measured.
    fn value(&self, peer: &str, setting: &str, case: &str) -> Option<f64> {
        let mut all = self.figures.iter().map(|it| &it.figure);
        all.find(|it| it.peer == peer && it.setting == setting && it.case == case)
            .map(|it| it.value)
    }

    /// The best median of a case, whatever the setting; `None` if it was not measured.
    fn best(&self, peer: &str, case: &str) -> Option<f64> {
        let all = self.figures.iter().map(|it| &it.figure);
        all.filter(|it| it.peer == peer && it.case == case)
            .map(|it| it.value)
            .max_by(f64::total_cmp)
    }

    /// The rows of the table: who was measured, in which setting, and what it keeps.
    fn rows(&self) -> Vec<(&str, &str, &str)> {
        let mut rows = Vec::new();
        for Measured { figure, .. } in self.figures.iter().filter(|it| in_table(&it.figure)) {
            let row = (figure.peer.as_str(), figure.setting.as_str(), figure.keeps.as_str());
            if !rows.contains(&row) {
                rows.push(row);
            }
        }
        rows.sort_unstable_by_key(|it| it.0);
        rows
    }

    /// One row for each setting, and below it what the settings are.
    pub(crate) fn print(&self) {
        println!("{}\n", self.conditions);
        let titles = CASES.map(|it| it.1).join(" | ");
        println!("| who | setting | keeps when a job is done | no-op, of the floor | {titles} |");
        println!("|---|---|---|---|{}", "---|".repeat(CASES.len()));
        let floor = self.best("floor", NOOP);
        for (peer, setting, keeps) in self.rows() {
            let cell = |(case, _): (&str, _)| {
                self.value(peer, setting, case).map_or_else(String::new, short)
            };
            let share = self.value(peer, setting, NOOP).zip(floor);
            let share = share.map(|(rate, floor)| format!("{:.2}", rate / floor));
            let (share, cells) = (share.unwrap_or_default(), CASES.map(cell).join(" | "));
            println!("| {peer} | {setting} | {keeps} | {share} | {cells} |");
        }
        self.print_others();
        self.print_how();
    }

    /// How each was measured, those together that were measured in one way.
    fn print_how(&self) {
        println!();
        let mut told: Vec<(How<'_>, Vec<&str>)> = Vec::new();
        for Measured { figure: Figure { peer, setting, case, how, .. }, .. } in &self.figures {
            let key = (peer.as_str(), setting.as_str(), how.as_str());
            let about = case.split("_per_second").next().unwrap_or(case);
            match told.iter_mut().find(|it| it.0 == key) {
                Some((_, all)) if all.contains(&about) => {}
                Some((_, all)) => all.push(about),
                None => told.push((key, vec![about])),
            }
        }
        for ((peer, setting, how), about) in told {
            println!("- {peer}, {setting}, {}: {how}", about.join(", "));
        }
    }

    /// What has no column: a line each, with the value of each round.
    fn print_others(&self) {
        let mut others = self.figures.iter().filter(|it| !in_table(&it.figure)).peekable();
        if others.peek().is_none() {
            return;
        }
        println!("\n| what | setting | median | unit | rounds |\n|---|---|---|---|---|");
        for Measured { figure: Figure { setting, case, value, unit, .. }, rounds } in others {
            let rounds: Vec<_> = rounds.iter().copied().map(short).collect();
            println!("| {case} | {setting} | {} | {unit} | {} |", short(*value), rounds.join(", "));
        }
    }

    /// A line of JSON for each.
    pub(crate) fn print_lines(&self) -> Result<()> {
        for Measured { figure, .. } in &self.figures {
            println!("{}", serde_json::to_string(figure)?);
        }
        Ok(())
    }

    /// Writes the medians and the value of each round as JSON.
    pub(crate) fn write(&self, path: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)? + "\n";
        fs::write(path, text).with_context(|| format!("{} can not be written", path.display()))
    }
}

/// The figures in what a process printed, a line each. A library may print lines of its own.
pub(crate) fn read(printed: Vec<u8>) -> Result<Vec<Figure>> {
    let lines = String::from_utf8(printed)?;
    let read = |line: &str| serde_json::from_str(line).with_context(|| line.to_owned());
    lines.lines().filter(|it| it.starts_with(r#"{"peer":"#)).map(read).collect()
}

fn in_table(figure: &Figure) -> bool {
    CASES.iter().any(|it| it.0 == figure.case)
}

/// As many digits as say something.
pub(crate) fn short(value: f64) -> String {
    let digits = match value.abs() {
        it if it < 10.0 => 2,
        it if it < 100.0 => 1,
        _ => 0,
    };
    format!("{value:.digits$}")
}
