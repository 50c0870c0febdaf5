//! Filters run in processes of their own: jq has neither fuel nor a limit on memory, and what runs out of memory takes its
//! process with it. These have a limit on both, and nothing else to lose.
//!
//! A runner is this program under another name for its first argument. It stays for many filters, speaks over its standard
//! streams, and is killed when one takes too long.

mod runner;
mod wire;

pub use runner::run_if_asked;

use super::{Effect, Failure};
use serde_json::Value;
use shared_db::error::Reason;
use std::{
    path::PathBuf,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::Semaphore,
};
use wire::Answer;

/// The argument that makes this program a runner.
const ARGUMENT: &str = "filter-runner";

/// Runners at a time.
const RUNNERS_MAX: usize = 4;

/// For the wait for a runner, and again for the work.
const TIME_LIMIT: Duration = Duration::from_secs(5);

/// The runners of this process.
#[derive(Clone)]
pub(super) struct Filters(Arc<Pool>);

struct Pool {
    program: PathBuf,
    places: Semaphore,
    idle: Mutex<Vec<Runner>>,
}

/// Killed when it is dropped.
struct Runner {
    _child: Child,
    to: ChildStdin,
    from: ChildStdout,
}

impl Filters {
    /// `program` runs the filters; this one when `None`.
    pub(super) fn new(program: Option<PathBuf>) -> std::io::Result<Self> {
        let program = match program {
            Some(program) => program,
            // Also when the file has been replaced by a newer one since.
            None if cfg!(target_os = "linux") => PathBuf::from("/proc/self/exe"),
            None => std::env::current_exe()?,
        };
        let (places, idle) = (Semaphore::new(RUNNERS_MAX), Mutex::default());
        Ok(Self(Arc::new(Pool { program, places, idle })))
    }

    /// What `filter` makes of JSON, or of what is taken as a string.
    pub(super) async fn run(&self, filter: &str, body: &[u8]) -> Result<Value, Failure> {
        let pool = &self.0;
        let place = tokio::time::timeout(TIME_LIMIT, pool.places.acquire()).await;
        let Ok(Ok(_place)) = place else {
            return Err(too_slow("waiting for other filters"));
        };
        let mut runner = pool.runner().map_err(|error| {
            let message = format!("no filter can be run: {error}");
            Failure::passing(Reason::Internal, message, Effect::Possible)
        })?;
        let asked = wire::ask(&mut runner.to, &mut runner.from, filter, body);
        match tokio::time::timeout(TIME_LIMIT, asked).await {
            Ok(Ok(answer)) => {
                pool.idle.lock().unwrap_or_else(PoisonError::into_inner).push(runner);
                match answer {
                    Answer::Value(value) => Ok(value),
                    Answer::Problem(problem) => {
                        Err(invalid(format!("the filter failed: {problem}")))
                    }
                }
            }
            Ok(Err(_)) => Err(invalid("the filter took more memory than it may".to_owned())),
            Err(_) => Err(too_slow("the filter")),
        }
    }
}

impl Pool {
    fn runner(&self) -> std::io::Result<Runner> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(runner) = idle {
            return Ok(runner);
        }
        let mut child = Command::new(&self.program)
            .arg(ARGUMENT)
            // Whatever a filter might find a way to, there is nothing to be found.
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            // A Ctrl-C in a terminal is for this process, which may want to finish what it does.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(to), Some(from)) => Ok(Runner { _child: child, to, from }),
            _ => Err(std::io::Error::other("it has no standard streams")),
        }
    }
}

fn invalid(message: String) -> Failure {
    Failure::fatal(Reason::ResponseInvalid, message).with_effect(Effect::Possible)
}

fn too_slow(what: &str) -> Failure {
    invalid(format!("{what} took longer than {} s", TIME_LIMIT.as_secs()))
}
