//! The `shared-db` command: what is done to the database from outside the services.

use anyhow::{Context, Result};
use clap::{Args, Parser, Subcommand, ValueEnum};
use secrecy::{ExposeSecret, SecretString};
use shared_db::{
    contract::Contract,
    explain, maintain, migrate,
    roles::Passwords,
    seed,
    service::{config::positive, shutdown},
    snapshot::Snapshot,
    verify,
};
use sqlx::{Connection, PgConnection};
use std::{path::PathBuf, process::ExitCode, time::Duration};

/// Migrates the database of Freehold and proves that its boundary holds.
#[derive(Parser)]
#[command(version, max_term_width = 100)]
struct Cli {
    /// The database, as a superuser or as `freehold_owner`; to maintain, as `freehold_maintenance`.
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
    /// Make the partitions of the days ahead, and remove what is past its retention. To be run every day.
    Maintain {
        /// For how long ahead there have to be partitions.
        #[arg(long, default_value = "7d", value_parser = ahead_days)]
        ahead: u16,
        /// Say what would be done, and do nothing.
        #[arg(long)]
        dry_run: bool,
        /// Do so again and again, such as every 24h, and sooner after a failure; ends when it is asked to stop.
        #[arg(long, value_parser = positive, conflicts_with = "dry_run")]
        every: Option<Duration>,
    },
    /// Which migrations are applied and pending, and whether the schema is the one of this build.
    Status,
    /// Prove that what each role can effectively do is what the contract says. Exit status 1: findings; 2: could not look.
    Verify {
        #[arg(long, value_enum, default_value_t = Format::Text)]
        format: Format,
    },
    /// Print the schema of the database, in the form of schema.sql.
    Snapshot,
    /// Who may do what with a table, or with all of them. Needs no database.
    Explain {
        /// Such as `web.api_keys`.
        table: Option<String>,
        /// The reference page, REFERENCE.md.
        #[arg(long, conflicts_with = "table")]
        markdown: bool,
    },
    /// Make a demo organization with an owner and a key. Run again it makes another key, or none if one is given.
    Seed {
        /// The key to accept, `fh_<12 letters or digits>_<43 characters of base64url>`; without it one is made and printed.
        #[arg(long, env = "FREEHOLD_DEMO_KEY", hide_env_values = true)]
        key: Option<SecretString>,
    },
}

#[derive(Clone, Copy, ValueEnum)]
enum Format {
    /// One line a finding: kind, object, why, the statement that mends it.
    Text,
    Json,
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
    /// The password that `shared-db maintain` logs in with.
    #[arg(long, env = "FREEHOLD_MAINTENANCE_PASSWORD", hide_env_values = true)]
    maintenance_password: Option<SecretString>,
    /// A file with that password.
    #[arg(
        long,
        env = "FREEHOLD_MAINTENANCE_PASSWORD_FILE",
        conflicts_with = "maintenance_password"
    )]
    maintenance_password_file: Option<PathBuf>,
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
            for it in &report.partitions {
                println!("made {it}");
            }
            println!("schema version {}", report.version);
        }
        Command::Maintain { ahead, dry_run, every } => {
            let options = maintain::Options { ahead_days: ahead, dry_run };
            let round = async || maintain(&mut connect(url).await?, options).await;
            match every {
                Some(every) => {
                    let complain = |error| eprintln!("shared-db: {error:#}");
                    maintain::again_and_again(every, round, complain, shutdown::on_signal()).await;
                }
                None => round().await?,
            }
        }
        Command::Status => status(&mut connect(url).await?).await?,
        Command::Verify { format } => return verify(&mut connect(url).await?, format).await,
        Command::Snapshot => {
            print!("{}", Snapshot::take(&mut connect(url).await?).await?.text());
        }
        Command::Explain { table, markdown } => explain(table.as_deref(), markdown)?,
        Command::Seed { key } => {
            let seeded = seed::run(&mut connect(url).await?, key.as_ref()).await?;
            println!("organization {}", seeded.organization);
            println!("user {}", seeded.user);
            if let Some(key) = seeded.new_key {
                println!("key {} (not shown again)", key.expose_secret());
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// One line for each thing as it is done, so that a long run shows where it is.
async fn maintain(conn: &mut PgConnection, options: maintain::Options) -> Result<()> {
    let mut steps = 0_u64;
    let prefix = if options.dry_run { "would " } else { "" };
    maintain::run(conn, options, &mut |step| {
        steps += 1;
        println!("{prefix}{step}");
    })
    .await?;
    if steps == 0 {
        println!("nothing to do");
    }
    Ok(())
}

/// `7d`
fn ahead_days(text: &str) -> Result<u16, String> {
    let days = text.strip_suffix('d').and_then(|it| it.parse().ok());
    days.filter(|it| *it <= 365).ok_or_else(|| "a number of days up to 365d, such as 7d".to_owned())
}

async fn status(conn: &mut PgConnection) -> Result<()> {
    let pending = migrate::pending(conn).await?;
    for it in migrate::applied(conn).await? {
        println!("applied {it}");
    }
    for it in &pending {
        println!("pending {it}");
    }
    if pending.is_empty() {
        let drift = verify::drift::check(conn).await?;
        let drift = if drift.is_empty() {
            "no".to_owned()
        } else {
            format!("yes: {} objects; see verify", drift.len())
        };
        println!("drift {drift}");
    }
    Ok(())
}

async fn verify(conn: &mut PgConnection, format: Format) -> Result<ExitCode> {
    let findings = verify::run(conn).await?;
    match format {
        Format::Text => findings.iter().for_each(|it| println!("{it}")),
        Format::Json => println!("{}", serde_json::to_string_pretty(&findings)?),
    }
    Ok(if findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn explain(path: Option<&str>, markdown: bool) -> Result<()> {
    let contract = Contract::embedded();
    if markdown {
        print!("{}", explain::markdown(contract));
        return Ok(());
    }
    let named = |path: &str| {
        let (schema, name) = path.split_once('.')?;
        contract.table(schema, name)
    };
    match path {
        Some(path) => {
            let table = named(path).with_context(|| {
                format!("{path} is not in the contract; name a table as schema.table")
            })?;
            print!("{}", explain::table(table));
        }
        None => contract.tables.iter().for_each(|it| print!("{}", explain::table(it))),
    }
    Ok(())
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
            maintenance: secret(self.maintenance_password, self.maintenance_password_file)?,
        };
        Ok(migrate::Options { passwords, repair: self.repair })
    }
}

fn secret(value: Option<SecretString>, file: Option<PathBuf>) -> Result<Option<SecretString>> {
    let Some(file) = file else { return Ok(value) };
    let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned().into()))
}
