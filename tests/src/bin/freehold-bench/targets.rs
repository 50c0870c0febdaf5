//! What was aimed at, beside what was measured.

use crate::figures::{Figure, Figures, short};

#[derive(Clone, Copy)]
enum Aim {
    AtLeast(f64),
    AtMost(f64),
}

struct Target {
    what: String,
    value: f64,
    aim: Aim,
}

/// Figures that are their own value.
const PLAIN: [(&str, &str, Aim); 10] = [
    ("hot_ratio", "workers started on an empty database: of the warm rate", Aim::AtLeast(0.95)),
    (
        "flat_finished_ratio",
        "beside a long history: of the rate on empty tables",
        Aim::AtLeast(0.8),
    ),
    (
        "flat_queued_ratio",
        "beside a long queue of another: of the rate on empty tables",
        Aim::AtLeast(0.8),
    ),
    ("snapshot_ratio", "while a session holds a snapshot: of the clean rate", Aim::AtLeast(0.8)),
    ("sustained_ratio", "sustained: the last minute of the first", Aim::AtLeast(0.9)),
    ("flood_ratio", "another tenant's flood: p99 of its idle value", Aim::AtMost(3.0)),
    (
        "idle_cpu_service",
        "idle: % of a core of the service (no figure is named; 1 here)",
        Aim::AtMost(1.0),
    ),
    (
        "idle_cpu_postgres",
        "idle: % of a core of PostgreSQL (no figure is named; 1 here)",
        Aim::AtMost(1.0),
    ),
    (
        "waiting_memory_each",
        "waiting: bytes of memory each (none is aimed at; 64 is noise)",
        Aim::AtMost(64.0),
    ),
    (
        "cpu_idle_share",
        "drain: share of the machine that is left unused (nothing is aimed at; 0.1 here)",
        Aim::AtMost(0.1),
    ),
];

const NOOP: &str = "noop_per_second";
const SINGLE: &str = "enqueue_single_per_second";
const P50: &str = "latency_at_50_per_second_p50";
const P99: &str = "latency_at_50_per_second_p99";

/// One line for each ratio whose both sides were measured in this run.
pub(crate) fn print(figures: &Figures) {
    let targets = targets(figures);
    if targets.is_empty() {
        return;
    }
    println!("\n| what | measured | aimed at | |\n|---|---|---|---|");
    for Target { what, value, aim } in targets {
        let (aim, met) = match aim {
            Aim::AtLeast(it) => (format!("≥ {it}"), value >= it),
            Aim::AtMost(it) => (format!("≤ {it}"), value <= it),
        };
        println!("| {what} | {} | {aim} | {} |", short(value), if met { "met" } else { "not met" });
    }
}

fn targets(figures: &Figures) -> Vec<Target> {
    let mut targets = Vec::new();
    if let Some(ours) = best(figures, NOOP, |it| it.peer == OURS) {
        against(figures, &mut targets, ours);
    }
    let through_web = |it: &Figure| it.peer == OURS && it.setting == "through web";
    if let Some(ours) = best(figures, SINGLE, through_web) {
        let peers = best(figures, SINGLE, is_peer);
        let what = "single starts through gRPC ÷ the best peer's library call";
        push(&mut targets, what, peers.map(|it| ours / it), Aim::AtLeast(6.0));
    }
    for (case, name, aim) in [(P50, "p50", 2.5), (P99, "p99", 6.0)] {
        // As it is asked for, and as peers are measured; that the step is done is written down later.
        let to_worker = |it: &Figure| it.peer == OURS && it.setting.ends_with("worker's begin");
        let ours = least(figures, case, to_worker);
        push(
            &mut targets,
            &format!("StartExecution → its worker's begin, at 50/s, {name} ms"),
            ours,
            Aim::AtMost(aim),
        );
        let peers = least(figures, case, is_peer);
        let ratio = ours.zip(peers).map(|(ours, it)| ours / it);
        push(
            &mut targets,
            &format!("the same ÷ the best peer's enqueue → start, {name}"),
            ratio,
            Aim::AtMost(1.0),
        );
    }
    for (case, what, aim) in PLAIN {
        push(&mut targets, what, figures.of(case).next().map(|it| it.value), aim);
    }
    targets
}

const OURS: &str = "freehold engine";

/// The rate of no-op executions against the floor and each peer.
fn against(figures: &Figures, targets: &mut Vec<Target>, ours: f64) {
    let of = |peer: &str, setting: Option<&str>| {
        let is = |it: &Figure| it.peer == peer && setting.is_none_or(|name| it.setting == name);
        best(figures, NOOP, is).map(|it| ours / it)
    };
    let at_least = Aim::AtLeast;
    push(targets, "no-op/s ÷ the floor at its best", of("floor", None), at_least(0.5));
    push(
        targets,
        "no-op/s ÷ the floor on one connection",
        of("floor", Some("on 1")),
        at_least(0.5),
    );
    push(
        targets,
        "no-op/s ÷ DBOS at its best, which keeps steps too",
        of("dbos", None),
        at_least(10.0),
    );
    push(
        targets,
        "no-op/s ÷ pg-boss at its best, which keeps jobs",
        of("pg-boss", None),
        at_least(1.0),
    );
    let what = "no-op/s ÷ graphile-worker by default (far ahead; 2 here)";
    push(targets, what, of("graphile-worker", Some("default")), at_least(2.0));
    let what = "no-op/s ÷ graphile-worker at its best, which keeps nothing (within reach: 0.5 here; the prize: 1)";
    push(targets, what, of("graphile-worker", Some("best")), at_least(0.5));
}

fn push(targets: &mut Vec<Target>, what: &str, value: Option<f64>, aim: Aim) {
    targets.extend(value.map(|value| Target { what: what.to_owned(), value, aim }));
}

fn is_peer(it: &Figure) -> bool {
    it.peer != OURS && it.peer != "floor"
}

fn best(figures: &Figures, case: &str, of: impl Fn(&Figure) -> bool) -> Option<f64> {
    figures.of(case).filter(|it| of(it)).map(|it| it.value).reduce(f64::max)
}

fn least(figures: &Figures, case: &str, of: impl Fn(&Figure) -> bool) -> Option<f64> {
    figures.of(case).filter(|it| of(it)).map(|it| it.value).reduce(f64::min)
}
