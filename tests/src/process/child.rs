//! One child process: its ports, its log, and the signals that it is sent.

use super::{Environment, binaries, ports::free_ports};
use crate::{
    doors::{channel, health_by},
    kernel,
    netns::{self, Host},
    settings::Resolved,
};
use std::{
    env,
    fs::{self, File, OpenOptions},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    thread,
    time::{Duration, Instant},
};
use tonic_health::pb::health_check_response::ServingStatus::Serving;

const START_TIME_MAX: Duration = Duration::from_secs(30);
/// How much of a log is shown when a test fails.
const LOG_LINES_SHOWN: usize = 60;

/// A service as a process. It is killed when this is dropped; its log is shown if the test failed.
#[derive(Debug)]
pub struct Process {
    pub name: &'static str,
    pub grpc: SocketAddr,
    pub health: SocketAddr,
    pub metrics: SocketAddr,
    /// The network namespace that it is in, if it is not in ours.
    host: Option<String>,
    settings: Resolved,
    environment: Environment,
    log: PathBuf,
    child: Child,
}

impl Process {
    /// Starts a binary of the workspace on free ports. It may not serve yet.
    pub fn spawn(name: &'static str, settings: Resolved) -> Self {
        Self::spawn_in(name, settings, Vec::new())
    }

    /// The same, with variables in its environment that are no settings of ours.
    pub fn spawn_in(name: &'static str, mut settings: Resolved, environment: Environment) -> Self {
        let [grpc, health, metrics] = free_ports();
        let listeners = [("LISTEN", grpc), ("HEALTH_LISTEN", health), ("METRICS_LISTEN", metrics)];
        for (setting, address) in listeners {
            settings.push((setting.to_owned(), address.to_string()));
        }
        Self::listening(name, settings, environment, None, [grpc, health, metrics])
    }

    /// Starts it on a host of its own, where it listens as its settings say. It may not serve yet.
    pub async fn spawn_on(host: &Host, name: &'static str, settings: Resolved) -> Self {
        binaries::build().await;
        let address = |setting: &str| {
            let value = settings.iter().find(|it| it.0 == setting).map(|it| it.1.parse());
            value.expect("it is set").expect("it is an address")
        };
        let listeners = ["LISTEN", "HEALTH_LISTEN", "METRICS_LISTEN"].map(address);
        Self::listening(name, settings, Vec::new(), Some(host.name.clone()), listeners)
    }

    fn listening(
        name: &'static str,
        settings: Resolved,
        environment: Environment,
        host: Option<String>,
        [grpc, health, metrics]: [SocketAddr; 3],
    ) -> Self {
        let logs = binaries::folder().join("test-logs");
        fs::create_dir_all(&logs).expect("a folder for logs can be made");
        let log = logs.join(format!("{}-{}.log", host.as_deref().unwrap_or(name), grpc.port()));
        File::create(&log).expect("a log can be made");
        let child = start(name, host.as_deref(), &settings, &environment, &log);
        Self { name, grpc, health, metrics, host, settings, environment, log, child }
    }

    /// Waits until health says SERVING. Panics when the process ends first.
    pub async fn until_serving(&mut self) {
        let give_up = Instant::now() + START_TIME_MAX;
        let channel = self
            .host
            .as_ref()
            .map_or_else(|| channel(self.health), |host| netns::channel(host, self.health));
        while health_by(channel.clone()).await != Some(Serving) {
            let ended = self.ended();
            assert!(ended.is_none(), "{} ended: {ended:?}\n{}", self.name, self.log());
            assert!(Instant::now() < give_up, "{} does not serve\n{}", self.name, self.log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends it without any warning, as the kernel does when memory is short.
    pub fn kill9(&mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a killed child ends");
    }

    /// Asks it to stop.
    pub fn term(&self) {
        self.signal("TERM");
    }

    /// Freezes it: it holds its leases and connections and does nothing.
    pub fn stop(&self) {
        self.signal("STOP");
    }

    /// Lets it go on.
    pub fn cont(&self) {
        self.signal("CONT");
    }

    /// Starts it again with the same ports and settings. It may not serve yet.
    pub fn restart(&mut self) {
        self.kill9();
        let host = self.host.as_deref();
        self.child = start(self.name, host, &self.settings, &self.environment, &self.log);
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it has ended by itself; `None` when it does not within `patience`.
    pub async fn wait(&mut self, patience: Duration) -> Option<ExitStatus> {
        let give_up = Instant::now() + patience;
        loop {
            if let Some(status) = self.ended() {
                return Some(status);
            }
            if give_up < Instant::now() {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub fn is_running(&mut self) -> bool {
        self.ended().is_none()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child can be waited for")
    }

    /// Bytes of memory that it holds now.
    pub fn memory(&self) -> u64 {
        kernel::memory(self.id()).expect("it lives, on Linux")
    }

    /// All that it has logged, in all its lives.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// By the shell, which has it built in: the standard library sends no signals but one.
    fn signal(&self, name: &str) {
        let command = format!("kill -s {name} {}", self.child.id());
        let status = Command::new("sh").args(["-c", &command]).status().expect("there is a shell");
        assert!(status.success(), "{} can be sent {name}", self.name);
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        if thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            let shown = lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n");
            eprintln!("--- {} at {}, the end of its log:\n{shown}", self.name, self.grpc);
        }
    }
}

fn start(
    name: &str,
    host: Option<&str>,
    settings: &Resolved,
    environment: &[(String, String)],
    log: &PathBuf,
) -> Child {
    let log = OpenOptions::new().append(true).open(log).expect("the log is there");
    let program = binaries::folder().join(name);
    let mut command = match host {
        None => Command::new(program),
        Some(host) => {
            // It becomes the program, and has its process id.
            let mut command = Command::new("ip");
            command.args(["netns", "exec", host]).arg(program);
            command
        }
    };
    for (variable, _) in env::vars().filter(|(it, _)| it.starts_with("FREEHOLD_")) {
        command.env_remove(variable);
    }
    for (setting, value) in settings {
        command.env(format!("FREEHOLD_{setting}"), value);
    }
    command
        .envs(environment.iter().cloned())
        .env_remove("DATABASE_URL")
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a file can be shared"))
        .stderr(log)
        .spawn()
        .unwrap_or_else(|error| panic!("{name} can be started: {error}"))
}
