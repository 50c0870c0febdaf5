//! A PostgreSQL server that a test may stop: by the programs of the one that runs already, as the user who runs that.

use anyhow::{Context, Result, bail};
use rand::distr::{Alphanumeric, SampleString};
use sqlx::{Connection, PgConnection};
use std::{
    fs,
    net::TcpListener,
    os::unix::{
        fs::{MetadataExt, chown},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// A server on this machine.
#[derive(Debug)]
pub struct Server {
    programs: PathBuf,
    data: PathBuf,
    port: u16,
    /// Who runs it, if that is somebody else than us.
    user: Option<(u32, u32)>,
    /// What is removed with this value: it was made for a test.
    made: Option<PathBuf>,
    pub superuser_url: String,
}

/// How a server ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// Connections are closed, and everything is written.
    Fast,
    /// As if the power failed: the next start recovers from the log.
    Immediate,
}

impl Server {
    /// The server behind a superuser's URL. An error when it is not on this machine, or we may not stop it.
    pub async fn behind(url: &str) -> Result<Self> {
        let mut conn = PgConnection::connect(url).await?;
        let programs: String =
            sqlx::query_scalar("select setting from pg_config where name = 'BINDIR'")
                .fetch_one(&mut conn)
                .await?;
        let (data, port): (String, String) =
            sqlx::query_as("select current_setting('data_directory'), current_setting('port')")
                .fetch_one(&mut conn)
                .await?;
        conn.close().await?;
        let (programs, data) = (PathBuf::from(programs), PathBuf::from(data));
        if !programs.join("pg_ctl").exists() || !programs.join("initdb").exists() {
            bail!("the programs of the server are not on this machine");
        }
        let owner = fs::metadata(&data).context("the server's files are not on this machine")?;
        let ours = fs::metadata("/proc/self")?;
        let user = (owner.uid() != ours.uid()).then(|| (owner.uid(), owner.gid()));
        if user.is_some() && ours.uid() != 0 {
            bail!("the server belongs to another user");
        }
        let port = port.parse().context("a port is a number")?;
        Ok(Self { programs, data, port, user, made: None, superuser_url: url.to_owned() })
    }

    /// A new server beside it, running, with settings such as `fsync = off`. It is removed when this is dropped.
    pub async fn beside(url: &str, settings: &[&str]) -> Result<Self> {
        let known = Self::behind(url).await?;
        let parent = known.data.parent().context("the server's files are in a folder")?;
        let name = Alphanumeric.sample_string(&mut rand::rng(), 12).to_lowercase();
        let folder = parent.join(format!("freehold-test-{name}"));
        fs::create_dir(&folder)?;
        let made = Some(folder.clone());
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let password = Alphanumeric.sample_string(&mut rand::rng(), 24);
        let superuser_url = format!("postgres://postgres:{password}@127.0.0.1:{port}/postgres");
        let (programs, user, data) = (known.programs.clone(), known.user, folder.join("data"));
        let server = Self { programs, data, port, user, made, superuser_url };
        if let Some((user, group)) = server.user {
            chown(&folder, Some(user), Some(group))?;
        }
        server.make(&folder, &password, settings)?;
        server.start()?;
        Ok(server)
    }

    fn make(&self, folder: &Path, password: &str, settings: &[&str]) -> Result<()> {
        let file = folder.join("password");
        fs::write(&file, password)?;
        if let Some((user, group)) = self.user {
            chown(&file, Some(user), Some(group))?;
        }
        let mut initdb = self.command("initdb");
        initdb.arg("-D").arg(&self.data).args(["-U", "postgres", "--auth=scram-sha-256"]);
        initdb.arg("--pwfile").arg(&file).args([
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
        ]);
        run(initdb)?;
        let path = self.data.join("postgresql.conf");
        let mut text = fs::read_to_string(&path)?;
        let always = ["listen_addresses = '127.0.0.1'", "unix_socket_directories = ''"];
        for setting in always.iter().chain(settings) {
            text.push_str(setting);
            text.push('\n');
        }
        Ok(fs::write(path, text)?)
    }

    /// Starts it and waits until it accepts connections.
    pub fn start(&self) -> Result<()> {
        let mut start = self.command("pg_ctl");
        start.arg("-D").arg(&self.data).arg("-l").arg(self.data.join("server.log"));
        start.args(["-o", &format!("-p {}", self.port), "-w", "-t", "60", "-s", "start"]);
        run(start)
    }

    /// Stops it and waits until it has ended.
    pub fn stop(&self, how: Stop) -> Result<()> {
        let mode = match how {
            Stop::Fast => "fast",
            Stop::Immediate => "immediate",
        };
        let mut stop = self.command("pg_ctl");
        stop.arg("-D").arg(&self.data).args(["-m", mode, "-w", "-t", "60", "-s", "stop"]);
        run(stop)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.programs.join(program));
        command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        if let Some((user, group)) = self.user {
            command.uid(user).gid(group);
        }
        command
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(folder) = &self.made {
            // It may not have been started.
            drop(self.stop(Stop::Immediate));
            drop(fs::remove_dir_all(folder));
        }
    }
}

/// The server that it starts lives on, so its output is not waited for.
fn run(mut command: Command) -> Result<()> {
    let status = command.status().with_context(|| format!("{command:?}"))?;
    if !status.success() {
        bail!("{command:?}: {status}");
    }
    Ok(())
}
