//! Opens the pool of a service. It connects lazily: a service starts, and stays `NOT_SERVING`, while the database is away.

use super::config::DatabaseConfig;
use crate::scope::{Db, Service};
use anyhow::{Context, Result};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use std::str::FromStr;

pub fn connect(config: &DatabaseConfig, service: Service) -> Result<Db> {
    let url = config.url.require()?;
    // The parser's own words could repeat the password.
    let options = PgConnectOptions::from_str(url.expose())
        .ok()
        .context("--database-url is not a PostgreSQL URL")?
        .application_name(service.name())
        // Never 0: sqlx names its statements all the same then, and forgets to close them.
        .statement_cache_capacity(config.database_statement_cache.into());
    let pool = PgPoolOptions::new()
        .max_connections(config.database_connections_max)
        .min_connections(config.database_connections_min.min(config.database_connections_max))
        .acquire_timeout(config.database_acquire_timeout)
        // One round trip less per request; a connection that has died shows itself at BEGIN.
        .test_before_acquire(false)
        .connect_lazy_with(options);
    Ok(Db::new(pool, service))
}
