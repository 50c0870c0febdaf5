//! What a database does to those who use it.

use crate::chaos::{clocks::Time, schedule::Act, world::World};
use anyhow::{Context, Result};
use sqlx::{Connection, PgConnection, PgPool};
use std::time::Duration;
use tokio::time::Instant;

/// Twenty a second.
const TERMINATE_INTERVAL: Duration = Duration::from_millis(50);
/// How often it is looked whether a connection has become free.
const GRAB_INTERVAL: Duration = Duration::from_millis(20);
const CONNECTIONS_MAX: usize = 1000;

const TERMINATE_ONE: &str = "select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and usename in ('web_app', 'agent_runtime')
     order by random() limit 1";
const TERMINATE_ALL: &str = "select pg_terminate_backend(pid) from pg_stat_activity
     where datname = current_database() and usename in ('web_app', 'agent_runtime')";

/// Some transactions that write the queue sleep in their commit, when their positions are taken already. Each at most once.
const LATE: [&str; 4] = [
    "create schema if not exists chaos",
    "grant usage on schema chaos to public",
    "create or replace function chaos.late() returns trigger language plpgsql as $$
     begin
        if coalesce(current_setting('chaos.seen', true), '') = '' then
            perform set_config('chaos.seen', 'yes', true);
            if random() < 0.15 then
                perform pg_sleep(0.2 + random() * 0.6);
            end if;
        end if;
        return null;
     end $$",
    "create constraint trigger late after insert or update on runtime.execution_queue
     deferrable initially deferred for each row execute function chaos.late()",
];
const IN_TIME: [&str; 2] =
    ["drop trigger late on runtime.execution_queue", "drop schema chaos cascade"];

impl World {
    pub(super) async fn terminate(&mut self, act: Act, begun: Time) -> Result<()> {
        let until = Instant::now() + act.lasts;
        while Instant::now() < until {
            sqlx::query(TERMINATE_ONE).execute(&self.root).await?;
            self.rest(TERMINATE_INTERVAL).await;
        }
        self.note(act.fault, begun);
        Ok(())
    }

    /// Takes every connection that can be had, also those that the services are made to lose.
    pub(super) async fn exhaust(&mut self, act: Act, begun: Time) -> Result<()> {
        let server = self.server.as_ref().context("the server is not ours to fill")?;
        let url = server.superuser_url.clone();
        // Ours, before there are none.
        let mut root = self.root.acquire().await?.detach();
        let mut taken = take_all(&url).await;
        sqlx::query(TERMINATE_ALL).execute(&mut root).await?;
        let until = Instant::now() + act.lasts;
        while Instant::now() < until {
            taken.extend(take_all(&url).await);
            self.rest(GRAB_INTERVAL).await;
        }
        for connection in taken {
            // Some may be gone already.
            drop(connection.close().await);
        }
        root.close().await?;
        self.note(act.fault, begun);
        Ok(())
    }

    pub(super) async fn late_commits(&mut self, act: Act, begun: Time) -> Result<()> {
        all(&self.root, &LATE).await?;
        self.rest(act.lasts).await;
        all(&self.root, &IN_TIME).await?;
        self.note(act.fault, begun);
        Ok(())
    }
}

async fn take_all(url: &str) -> Vec<PgConnection> {
    let mut taken = Vec::new();
    while taken.len() < CONNECTIONS_MAX
        && let Ok(connection) = PgConnection::connect(url).await
    {
        taken.push(connection);
    }
    taken
}

async fn all(root: &PgPool, statements: &[&'static str]) -> Result<()> {
    for statement in statements {
        sqlx::query(*statement).execute(root).await.with_context(|| (*statement).to_owned())?;
    }
    Ok(())
}
