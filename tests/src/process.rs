//! The real binaries as child processes, to be killed, stopped and started again.

pub(crate) mod binaries;
mod child;

pub use child::Process;

use crate::{
    database::TestDatabase,
    doors::{Doors, channel},
    settings::{self, Settings},
};

use std::{ops::Deref, path::PathBuf, process::Output};

/// Runs a command of this workspace to its end, with nothing but this environment.
pub async fn output(binary: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    binaries::build().await;
    let mut command = tokio::process::Command::new(binaries::folder().join(binary));
    command.args(arguments).env_clear().envs(environment.iter().copied());
    command.output().await.expect("the binary was built")
}

/// web-service and some runtime-services as processes, with their database. All are killed with this value.
#[derive(Debug)]
pub struct Processes {
    pub web: Process,
    pub runtimes: Vec<Process>,
    doors: Doors,
    /// Last, so that the processes are gone when it is dropped.
    pub database: TestDatabase,
}

impl Processes {
    /// One web-service and that many replicas of runtime-service, serving.
    pub async fn start(replicas: usize, settings: Settings) -> Self {
        binaries::build().await;
        let database = TestDatabase::create().await;
        let url = [("DATABASE_URL", database.runtime_url())];
        let mut runtimes = Vec::new();
        for _ in 0..replicas {
            let settings = settings::runtime(&settings, &url);
            runtimes.push(Process::spawn("runtime-service", settings));
        }
        // Port 1 refuses.
        let runtime = runtimes.first().map_or("127.0.0.1:1".to_owned(), |it| it.grpc.to_string());
        let more =
            [("DATABASE_URL", database.web_url()), ("RUNTIME_URL", format!("http://{runtime}"))];
        let mut web = Process::spawn("web-service", settings::web(&settings, &more));
        web.until_serving().await;
        for runtime in &mut runtimes {
            runtime.until_serving().await;
        }
        let doors =
            Doors { web: channel(web.grpc), runtime: runtimes.first().map(|it| channel(it.grpc)) };
        Self { web, runtimes, doors, database }
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
