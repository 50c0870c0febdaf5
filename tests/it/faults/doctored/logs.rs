//! Wrongs that are written into the remote's log, and into what callers and watchers were told.

use chrono::{DateTime, TimeDelta};
use freehold_tests::chaos::{
    checks::takeovers,
    clocks::now,
    fault::{Fault, Struck, Victim},
    history::{Call, Execution, Fate, History},
    load::{CAP, Effect, Kind, Refusal, parent},
    world::Exit,
};
use freehold_tests::remote::Mood;
use tonic::Code;

/// The check, what is wrong, and how it comes to be.
pub(super) type Case = (&'static str, &'static str, fn(&mut History));

pub(super) const CASES: [Case; 25] = [
    ("nothing acknowledged is lost", "a caller is never answered", |it| {
        it.asked[0].acknowledged = None;
    }),
    ("a request makes one execution", "the second answer is another", |it| {
        it.asked[0].again = Some("another".to_owned());
    }),
    ("nothing begins early", "work begins before its time", |it| {
        let delayed = it.asked.iter_mut().find(|it| it.kind == Kind::Delayed).unwrap();
        delayed.not_before = delayed.not_before.map(|at| at + TimeDelta::minutes(1));
    }),
    ("refusals are passing", "a caller is told of an internal error", |it| {
        let message = "internal error".to_owned();
        it.asked[0].refusals.push(Refusal { code: Code::Internal, message, deliberate: true });
    }),
    ("finished steps are not repeated", "a finished step is called again", |it| {
        again(it, Effect::Idempotent, TimeDelta::minutes(1));
    }),
    ("finished steps are not repeated", "a cancelled step is called long after it", |it| {
        let call = succeeded(it, Effect::Idempotent);
        let mut steps = it.tables.executions.iter_mut().filter(|it| it.run == call.run);
        let step = steps.find_map(|it| it.steps.iter_mut().find(|at| at.step_key == call.step));
        "cancelled".clone_into(&mut step.unwrap().state);
        again(it, Effect::Idempotent, TimeDelta::minutes(1));
    }),
    ("finished steps are not repeated", "a step that was never called succeeds", |it| {
        let run = succeeded(it, Effect::Idempotent).run;
        it.calls.retain(|call| call.run != run);
    }),
    ("repeats have a cause", "a call is repeated for nothing", |it| {
        it.struck.clear();
        again(it, Effect::Idempotent, TimeDelta::milliseconds(1));
        it.tables
            .executions
            .iter_mut()
            .for_each(|it| it.steps.iter_mut().for_each(|it| it.attempt = 9));
    }),
    ("repeats have a cause", "a call is repeated when web is killed", |it| {
        again_after(it, Fault::Kill(Victim::Web(0)), TimeDelta::zero());
    }),
    ("repeats have a cause", "a call is repeated while the remote is slow", |it| {
        again_after(it, Fault::Remote(Mood::Slow), TimeDelta::zero());
    }),
    ("repeats have a cause", "a call is repeated whose worker was killed long after it", |it| {
        again_after(it, Fault::Kill(Victim::Runtime(0)), TimeDelta::seconds(5));
    }),
    ("repeats have a cause", "a call that was cut before the kill is repeated", |it| {
        again_after(it, Fault::Kill(Victim::Runtime(0)), TimeDelta::milliseconds(10));
        let last = it.calls.len() - 1;
        let (run, step) = (it.calls[last].run.clone(), it.calls[last].step.clone());
        let first = it.calls.iter_mut().find(|it| (&it.run, &it.step) == (&run, &step)).unwrap();
        first.cut = first.answered.take().map(|(_, at)| at);
    }),
    ("repeats have a cause", "a call takes effect three times for one kill", |it| {
        again_after(it, Fault::Kill(Victim::Runtime(0)), TimeDelta::milliseconds(10));
        it.calls.push(it.calls.last().unwrap().clone());
    }),
    ("repeats have a cause", "a call is repeated under another key", |it| {
        again(it, Effect::Idempotent, TimeDelta::milliseconds(1)).key = Some("another".to_owned());
    }),
    ("repeats have a cause", "a call is made that was not written down", |it| {
        it.tables.executions.iter_mut().for_each(|it| it.steps.clear());
    }),
    ("unrepeatable calls come once", "a call that must not be repeated is repeated", |it| {
        again(it, Effect::AtMostOnce, TimeDelta::milliseconds(1));
    }),
    ("watchers see every event", "a watcher misses an event", |it| {
        it.asked.iter_mut().find_map(|it| it.watched.as_mut()).unwrap().events.remove(1);
    }),
    ("watchers see every event", "a watcher sees an event again", |it| {
        let events = &mut it.asked.iter_mut().find_map(|it| it.watched.as_mut()).unwrap().events;
        events.insert(1, events[0]);
    }),
    ("watchers see every event", "a watch breaks off before the end", |it| {
        it.asked.iter_mut().find_map(|it| it.watched.as_mut()).unwrap().ended = false;
    }),
    ("nothing is held", "a slot is never free again", |it| {
        it.calls.retain(|call| !call.run.contains("probe") || !call.run.ends_with("-0"));
    }),
    ("caps hold", "one more is done at a time than may be", |it| {
        let kinds = it.kinds();
        let capped = it.calls.iter().find(|it| kinds.of(&it.run) == Some(Kind::Capped)).unwrap();
        it.calls.extend(vec![capped.clone(); CAP]);
    }),
    ("every execution ends as it should", "a child is cancelled and its parent is not", |it| {
        let kinds = it.kinds();
        let family = |it: &Execution| kinds.of(parent(&it.run)?);
        let mut children = it.tables.executions.iter().zip(0..);
        let child = children.find(|(it, _)| family(it) == Some(Kind::Family)).unwrap().1;
        let child = &mut it.tables.executions[child];
        "cancelled".clone_into(&mut child.state);
        "execution_cancelled".clone_into(&mut child.events.last_mut().unwrap().kind);
    }),
    ("takeover is quick", "what a killed process had is taken up a minute later", |it| {
        let (run, cut) = takeovers(it).first().map(|it| (it.call.run.clone(), it.call.at)).unwrap();
        let later = it.calls.iter_mut().filter(|it| it.run == run && cut < it.at);
        later.for_each(|it| it.at += TimeDelta::minutes(1));
        let ended = it.tables.executions.iter_mut().find(|it| it.run == run).unwrap();
        ended.finished_at = ended.finished_at.map(|at| at + TimeDelta::minutes(2));
        ended.events.iter_mut().for_each(|it| it.at += TimeDelta::minutes(2));
    }),
    ("services stay up", "a process ends by itself", |it| {
        let [process, status, log] = ["runtime 0", "exit status: 1", ""].map(str::to_owned);
        it.exits.push(Exit { process, at: now(), status, log });
    }),
    ("work flows again", "after a fault of the database everything is slow", |it| {
        let since = it.struck.last().unwrap().ended;
        for execution in &mut it.tables.executions {
            let late = execution.finished_at.filter(|at| since < *at);
            execution.finished_at =
                late.map_or(execution.finished_at, |at| Some(at + TimeDelta::minutes(1)));
        }
    }),
];

/// A call that was answered well comes again, and nothing has happened but this, so long after the answer.
fn again_after(history: &mut History, fault: Fault, after: TimeDelta) {
    let call = again(history, Effect::Idempotent, TimeDelta::minutes(1)).clone();
    let begun = call.over().unwrap() + after;
    history.struck = vec![Struck { fault, begun, ended: begun }];
    let executions = history.tables.executions.iter_mut();
    executions.for_each(|it| it.steps.iter_mut().for_each(|it| it.attempt = 9));
}

/// A call of this kind that was answered well.
fn succeeded(history: &History, effect: Effect) -> Call {
    let mut runs = history.asked.iter().filter(|it| it.kind.steps()[0].effect == effect);
    let call = runs.find_map(|it| {
        let mut calls = history.calls.iter().filter(|call| call.run == it.run);
        calls.find(|call| call.fate() == Fate::Succeeded)
    });
    call.cloned().expect("there are some of each kind")
}

/// The same call once more, so long after it.
fn again(history: &mut History, effect: Effect, after: TimeDelta) -> &mut Call {
    let mut call = succeeded(history, effect);
    call.at += after;
    history.calls.push(call);
    history.calls.last_mut().unwrap()
}

/// A call that took from one millisecond to another.
pub(super) fn call(run: &str, (from, to): (i64, i64)) -> Call {
    let at = |ms| DateTime::from_timestamp_millis(ms).unwrap();
    let [run, step] = [run, "one"].map(str::to_owned);
    Call { run, step, key: None, at: at(from), answered: Some((200, at(to))), cut: None }
}
