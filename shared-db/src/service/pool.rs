//! Opens the pool of a service. It connects lazily: a service starts, and stays `NOT_SERVING`, while the database is away.

use super::config::DatabaseConfig;
use crate::{
    pool::{Pool, PoolLimits},
    scope::{Db, Service},
};
use anyhow::{Context, Result};
use sqlx::postgres::PgConnectOptions;
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
    let limits = PoolLimits {
        connections_max: config.database_connections_max,
        connections_min: config.database_connections_min,
        acquire_timeout: config.database_acquire_timeout,
        ..PoolLimits::default()
    };
    Ok(Db::new(Pool::new(options, limits), service))
}
