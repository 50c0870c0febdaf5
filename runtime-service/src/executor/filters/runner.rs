//! The other side: a process that runs filters and has nothing else to lose.

use super::{
    ARGUMENT, TIME_LIMIT,
    wire::{self, Answer},
};
use action_rules::filter::{self, Filter, STACK_BYTES};
use rustix::process::{Resource, Rlimit, setrlimit};
use std::{
    collections::HashMap,
    io::{BufReader, stdin, stdout},
    process::ExitCode,
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

/// Address space of a runner, its stacks included. What wants more ends.
const MEMORY_BYTES_MAX: u64 = 1 << 30;

/// Compiled filters that are kept.
const COMPILED_MAX: usize = 100;

/// Makes this process a runner if its first argument says so, and returns when there is nothing more to do.
pub fn run_if_asked() -> Option<ExitCode> {
    let asked = std::env::args_os().nth(1).is_some_and(|it| it == ARGUMENT);
    asked.then(|| match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    })
}

fn run() -> std::io::Result<()> {
    let limit = Rlimit { current: Some(MEMORY_BYTES_MAX), maximum: Some(MEMORY_BYTES_MAX) };
    setrlimit(Resource::As, limit)?;
    // Where memory is short, the kernel ends this before any other. It is as well if it can not be told.
    let _ = std::fs::write("/proc/self/oom_score_adj", "1000");
    let (tell, told) = mpsc::channel::<bool>();
    // Whoever asked kills what takes too long; this is for when it has died itself.
    thread::spawn(move || {
        while told.recv().is_ok() {
            match told.recv_timeout(TIME_LIMIT + Duration::from_secs(1)) {
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => std::process::exit(1),
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
    });
    let work = thread::Builder::new().stack_size(STACK_BYTES).spawn(move || answer_all(&tell))?;
    work.join().unwrap_or_else(|_| Err(std::io::Error::other("a filter broke down")))
}

fn answer_all(tell: &mpsc::Sender<bool>) -> std::io::Result<()> {
    let (mut from, mut to) = (BufReader::new(stdin().lock()), stdout().lock());
    let mut compiled: HashMap<String, Filter> = HashMap::new();
    while let Some((source, body)) = wire::next(&mut from)? {
        let _ = tell.send(true);
        let answer = apply(&mut compiled, &source, &body);
        wire::answer(&mut to, &answer)?;
        let _ = tell.send(false);
    }
    Ok(())
}

fn apply(compiled: &mut HashMap<String, Filter>, source: &str, body: &[u8]) -> Answer {
    if !compiled.contains_key(source) {
        if compiled.len() >= COMPILED_MAX {
            compiled.clear();
        }
        match filter::compile(source) {
            Ok(filter) => compiled.insert(source.to_owned(), filter),
            Err(fault) => return Answer::Problem(fault.to_string()),
        };
    }
    match compiled[source].run(&super::super::shape::parse(body)) {
        Ok(value) => Answer::Value(value),
        Err(fault) => Answer::Problem(fault.to_string()),
    }
}
