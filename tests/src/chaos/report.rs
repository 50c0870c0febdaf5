//! What a run was like, in words.

use super::{
    checks::{self, Flow, Takeover, flow, overlapping, takeovers},
    clocks::Time,
    fault::Fault,
    history::{Fate, History},
    load::Kind,
};
use std::{collections::BTreeMap, fmt::Write};

/// How many of one check's findings are shown.
const SHOWN_MAX: usize = 8;

/// Figures of a run, the faults in their order, and what each check has found.
pub fn text(history: &History) -> String {
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = figures(history, &mut text);
    let _ = faults(history, &mut text);
    let _ = findings(history, &mut text);
    text
}

fn figures(history: &History, out: &mut String) -> std::fmt::Result {
    let executions = &history.tables.executions;
    let count = |fate| history.calls.iter().filter(|it| it.fate() == fate).count();
    let watched = || history.asked.iter().filter_map(|it| it.watched.as_ref());
    let refusals: usize = history.asked.iter().map(|it| it.refusals.len()).sum();
    let mut kinds: BTreeMap<Kind, usize> = BTreeMap::new();
    for it in &history.asked {
        *kinds.entry(it.kind).or_default() += 1;
    }
    writeln!(
        out,
        "{} executions asked for, {} there: {kinds:?}",
        history.asked.len(),
        executions.len()
    )?;
    writeln!(
        out,
        "{} calls of the remote: {} answered, {} refused, {} not answered; {} at a time at most",
        history.calls.len(),
        count(Fate::Succeeded),
        count(Fate::Refused),
        count(Fate::Unanswered),
        overlapping(&history.calls)
    )?;
    writeln!(
        out,
        "{} starts were repeated; {} watchers connected {} times",
        refusals,
        watched().count(),
        watched().map(|it| it.connections).sum::<usize>()
    )?;
    let taken = takeovers(history);
    for (by, is) in [("killed", is_kill as fn(Fault) -> bool), ("asked to stop", |it| !is_kill(it))]
    {
        let ms = |it: &Takeover| it.next.map(|at| (at - it.fault.begun).num_milliseconds());
        let mut took: Vec<i64> =
            taken.iter().filter(|it| is(it.fault.fault)).filter_map(ms).collect();
        took.sort_unstable();
        writeln!(
            out,
            "{} calls were left by a process that was {by}, and taken up: median {:?} ms, longest {:?} ms (lease {:?})",
            took.len(),
            took.get(took.len() / 2),
            took.last(),
            history.bounds.lease
        )?;
    }
    let stalls = history.stalls.iter().map(|it| it.lasted).max().unwrap_or_default();
    writeln!(out, "the machine itself stood still for {stalls:?} at most")
}

fn is_kill(fault: Fault) -> bool {
    matches!(fault, Fault::Kill(_))
}

/// Completions a second before, during and after each fault.
fn faults(history: &History, out: &mut String) -> std::fmt::Result {
    writeln!(out, "\n{:<44} {:>7} {:>21}   done in time", "fault", "ms", "ends/s before, after")?;
    let measured = super::clocks::delta(history.bounds.measured_for);
    for it in &history.struck {
        let ms = (it.ended - it.begun).num_milliseconds();
        let before = ends(history, it.begun - measured, it.begun);
        let after =
            ends(history, it.ended, it.ended + super::clocks::delta(history.bounds.back_within));
        let flow = match flow(history, it) {
            Ok(Flow { before: (a, b), after: (c, d) }) => {
                format!("{b} of {a} before, {d} of {c} after")
            }
            Err(why) if it.fault.is_of_the_database() => format!("not measured: {why}"),
            Err(_) => String::new(),
        };
        writeln!(out, "{:<44} {ms:>7} {before:>11.1} {after:>9.1}   {flow}", it.fault.to_string())?;
    }
    Ok(())
}

fn ends(history: &History, from: Time, to: Time) -> f64 {
    let ended = history.tables.executions.iter().filter_map(|it| it.finished_at);
    let count = ended.filter(|at| from <= *at && *at < to).count();
    #[expect(clippy::cast_precision_loss, reason = "a count of seconds of work is small")]
    let rate = count as f64 / (to - from).as_seconds_f64();
    rate
}

fn findings(history: &History, out: &mut String) -> std::fmt::Result {
    writeln!(out)?;
    for (name, check) in checks::ALL {
        let found = check(history);
        writeln!(out, "{} {name}", if found.is_empty() { "  ok  " } else { "WRONG " })?;
        for it in found.iter().take(SHOWN_MAX) {
            writeln!(out, "         {it}")?;
        }
        if SHOWN_MAX < found.len() {
            writeln!(out, "         and {} more", found.len() - SHOWN_MAX)?;
        }
    }
    Ok(())
}
