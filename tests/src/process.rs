//! The real binaries as child processes, to be killed, stopped and started again.

pub(crate) mod binaries;
mod child;
pub(crate) mod ports;

pub use child::Process;

use crate::{
    database::TestDatabase,
    doors::{Doors, channel},
    proxy::Proxy,
    settings::{self, Settings},
};

use std::{
    ops::Deref,
    path::PathBuf,
    process::{Output, Stdio},
};
use tokio::process::Child;

/// Runs a command of this workspace to its end, with nothing but this environment.
pub async fn output(binary: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    binaries::build().await;
    let mut command = tokio::process::Command::new(binaries::folder().join(binary));
    command.args(arguments).env_clear().envs(environment.iter().copied());
    command.output().await.expect("the binary was built")
}

/// The same for a command that does not end by itself. It is killed when this is dropped.
pub async fn start(binary: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Child {
    binaries::build().await;
    let mut command = tokio::process::Command::new(binaries::folder().join(binary));
    command.args(arguments).env_clear().envs(environment.iter().copied()).kill_on_drop(true);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().expect("the binary was built")
}

/// Replicas of web-service and of runtime-service as processes, with their database. All are killed with this value.
#[derive(Debug)]
pub struct Processes {
    pub webs: Vec<Process>,
    pub runtimes: Vec<Process>,
    /// Of the web-services and then of the runtime-services, when the layout asks for them.
    pub wires: Vec<Proxy>,
    doors: Doors,
    /// Last, so that the processes are gone when it is dropped.
    pub database: TestDatabase,
}

/// Variables of a process that are no settings.
pub type Environment = Vec<(String, String)>;

/// Which processes there are.
#[derive(Clone, Debug, Default)]
pub struct Layout {
    pub webs: usize,
    pub runtimes: usize,
    /// Each process reaches the database by a wire of its own.
    pub wired: bool,
    /// Environments of the last web-service and of the last runtime-service, of those before them, and so on.
    pub last: Vec<Environment>,
    /// What web-service takes for further replicas of runtime-service.
    pub decoys: Vec<String>,
}

impl Processes {
    /// One web-service and that many replicas of runtime-service, serving.
    pub async fn start(replicas: usize, settings: Settings) -> Self {
        let layout = Layout { webs: 1, runtimes: replicas, ..Layout::default() };
        Self::start_on(TestDatabase::create().await, &layout, &settings).await
    }

    /// What the layout names, serving. Every web-service knows every runtime-service. Who gives certificates to them by settings has
    /// to bring channels of its own.
    pub async fn start_on(database: TestDatabase, layout: &Layout, settings: &Settings) -> Self {
        binaries::build().await;
        let mut wires = Vec::new();
        if layout.wired {
            for _ in 0..layout.webs + layout.runtimes {
                wires.push(Proxy::before(&database).await);
            }
        }
        let url =
            |number: usize, url: String| wires.get(number).map_or(url.clone(), |it| it.url(&url));
        let environment = |after: usize| layout.last.get(after).cloned().unwrap_or_default();
        let mut runtimes = Vec::new();
        for number in 0..layout.runtimes {
            let url = url(layout.webs + number, database.runtime_url());
            let settings = settings::runtime(settings, &[("DATABASE_URL", url)]);
            let environment = environment(layout.runtimes - number - 1);
            runtimes.push(Process::spawn_in("runtime-service", settings, environment));
        }
        let tls = settings.runtime.iter().any(|it| it.0 == "TLS_CERT");
        let scheme = if tls { "https" } else { "http" };
        let mut known: Vec<_> =
            runtimes.iter().map(|it| format!("{scheme}://{}", it.grpc)).collect();
        known.extend(layout.decoys.iter().cloned());
        if known.is_empty() {
            // Port 1 refuses.
            known.push("http://127.0.0.1:1".to_owned());
        }
        let mut webs = Vec::new();
        for number in 0..layout.webs {
            let url = url(number, database.web_url());
            let files_dir = database.files_dir().display().to_string();
            let more =
                [("DATABASE_URL", url), ("RUNTIME_URL", known.join(",")), ("FILES_DIR", files_dir)];
            let environment = environment(layout.webs - number - 1);
            webs.push(Process::spawn_in(
                "web-service",
                settings::web(settings, &more),
                environment,
            ));
        }
        for process in webs.iter_mut().chain(&mut runtimes) {
            process.until_serving().await;
        }
        let runtime = runtimes.first().map(|it| channel(it.grpc));
        let doors = Doors { web: channel(webs[0].grpc), runtime };
        Self { webs, runtimes, wires, doors, database }
    }
}

/// The program that runs response filters: the real runtime-service, built first if it has changed.
pub async fn filter_runner() -> PathBuf {
    binaries::build().await;
    binaries::folder().join("runtime-service")
}

impl Deref for Processes {
    type Target = Doors;

    fn deref(&self) -> &Doors {
        &self.doors
    }
}
