//! The `shared-db` command: what is done to the database from outside the services.

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand};
use secrecy::{ExposeSecret, SecretString};
use shared_db::{migrate, roles::Passwords};
use sqlx::{Connection, PgConnection};
use std::{path::PathBuf, process::ExitCode};

/// Migrates the database of Freehold and proves that its boundary holds.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    /// The database, as a superuser or as `freehold_owner`.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true, global = true)]
    database_url: Option<SecretString>,
    /// A file with that URL.
    #[arg(long, env = "DATABASE_URL_FILE", global = true, conflicts_with = "database_url")]
    database_url_file: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Make the roles, apply what is pending, and generate grants and policies, in one transaction.
    Migrate(MigrateArgs),
    /// Which migrations are applied and which are pending.
    Status,
}

#[derive(Args)]
struct MigrateArgs {
    /// Generate grants and policies again, even if nothing changed: mends what was done by hand.
    #[arg(long)]
    repair: bool,
    /// The password that web-service logs in with.
    #[arg(long, env = "FREEHOLD_WEB_APP_PASSWORD", hide_env_values = true)]
    web_app_password: Option<SecretString>,
    /// A file with that password.
    #[arg(long, env = "FREEHOLD_WEB_APP_PASSWORD_FILE", conflicts_with = "web_app_password")]
    web_app_password_file: Option<PathBuf>,
    /// The password that runtime-service logs in with.
    #[arg(long, env = "FREEHOLD_AGENT_RUNTIME_PASSWORD", hide_env_values = true)]
    agent_runtime_password: Option<SecretString>,
    /// A file with that password.
    #[arg(
        long,
        env = "FREEHOLD_AGENT_RUNTIME_PASSWORD_FILE",
        conflicts_with = "agent_runtime_password"
    )]
    agent_runtime_password_file: Option<PathBuf>,
    /// The password of `freehold_owner`, for migrations that do not connect as a superuser.
    #[arg(long, env = "FREEHOLD_OWNER_PASSWORD", hide_env_values = true)]
    owner_password: Option<SecretString>,
    /// A file with that password.
    #[arg(long, env = "FREEHOLD_OWNER_PASSWORD_FILE", conflicts_with = "owner_password")]
    owner_password_file: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Cli::parse()).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("shared-db: {error:#}");
            ExitCode::from(2)
        }
    }
}

async fn run(cli: Cli) -> Result<ExitCode> {
    let url = secret(cli.database_url, cli.database_url_file)?;
    let url = url.as_ref();
    match cli.command {
        Command::Migrate(args) => {
            let report = migrate::run(&mut connect(url).await?, &args.options()?).await?;
            for it in &report.applied {
                println!("applied {it}");
            }
            println!("schema version {}", report.version);
        }
        Command::Status => {
            for it in migrate::pending(&mut connect(url).await?).await? {
                println!("pending {it}");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn connect(url: Option<&SecretString>) -> Result<PgConnection> {
    let url =
        url.context("DATABASE_URL is not set: the database, as a superuser or as freehold_owner")?;
    PgConnection::connect(url.expose_secret()).await.context("can't connect to DATABASE_URL")
}

impl MigrateArgs {
    fn options(self) -> Result<migrate::Options> {
        let passwords = Passwords {
            owner: secret(self.owner_password, self.owner_password_file)?,
            web_app: secret(self.web_app_password, self.web_app_password_file)?,
            agent_runtime: secret(self.agent_runtime_password, self.agent_runtime_password_file)?,
        };
        Ok(migrate::Options { passwords, repair: self.repair })
    }
}

fn secret(value: Option<SecretString>, file: Option<PathBuf>) -> Result<Option<SecretString>> {
    let Some(file) = file else { return Ok(value) };
    let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned().into()))
}
