//! What takes more than one statement, and what all handlers share.

pub mod agents;
pub mod api_keys;
pub mod change;
pub mod files;
pub mod integrations;
pub mod marketplace;
pub mod members;
pub mod messages;
pub mod once;
pub mod organizations;
pub mod purges;
pub mod upgrades;
pub mod users;

use crate::{Config, auth::cache::Cache, runtime::Runtime};
use agents::{
    desk::Desk,
    watch::{WatchConfig, hub::Hub},
};
use anyhow::Result;
use files::Files;
use purges::PurgeConfig;
use rand::RngCore;
use shared_db::{
    clock::Clock,
    error::{Error, Reason},
    ids::OrganizationId,
    page::PageTokens,
    scope::{Db, Scope},
    service::{Caller, Limits, caller::Role},
};
use std::{net::SocketAddr, time::Duration};
use tokio_util::sync::CancellationToken;

/// What every handler has at hand. Clones share all of it.
#[derive(Clone)]
pub struct App {
    pub db: Db,
    pub page_tokens: PageTokens,
    pub clock: Clock,
    /// Callers that were found good; forgotten when something is taken from one of them.
    pub callers: Cache,
    pub runtime: Runtime,
    pub desk: Desk,
    pub watch: WatchConfig,
    pub purge: PurgeConfig,
    /// What was accepted so long ago is not under way any more.
    pub settle: Duration,
    /// Everybody who watches an execution here.
    pub hub: Hub,
    pub files: Files,
    pub limits: Limits,
}

impl App {
    /// `files_at` is where files are served by URL, if they are. `stop` is cancelled when the service begins to stop: streams end, so
    /// that their callers watch at another replica.
    pub fn new(
        db: Db,
        config: &Config,
        files_at: Option<SocketAddr>,
        stop: CancellationToken,
    ) -> Result<Self> {
        let page_tokens = if let Some(key) = config.page_token_key.read()? {
            PageTokens::new(key.expose().as_bytes())
        } else {
            let mut key = [0; 32];
            rand::rng().fill_bytes(&mut key);
            PageTokens::new(&key)
        };
        let callers = Cache::new(config.auth.auth_cache_ttl);
        let calls_max = config.service.limits.deadline_max + config.auth.auth_cache_ttl;
        let runtime = Runtime::new(&config.runtime, config.runtime_key.read()?.as_ref())?;
        // Half of the places at most: a call that waits does nothing, and others have to get through.
        let waiting_max = config.service.limits.calls_max.div_ceil(2);
        let hub = Hub::new(db.clone(), waiting_max as usize, stop);
        Ok(Self {
            desk: Desk::open(&db),
            db,
            page_tokens,
            clock: Clock::System,
            callers,
            runtime,
            watch: config.watch,
            purge: config.purge,
            settle: config.purge.purge_settle.unwrap_or(calls_max),
            hub,
            files: Files::new(&config.files, files_at)?,
            limits: config.service.limits,
        })
    }
}

/// Refuses what takes a role that the caller does not have; `problem` says what it is that does.
pub fn must_reach(
    caller: &Caller,
    role: impl Into<Role>,
    problem: &str,
) -> shared_db::error::Result<()> {
    if role.into() <= caller.role {
        return Ok(());
    }
    Err(Error::Denied { reason: Reason::RoleTooLow, problem: problem.to_owned() })
}

/// What the caller's reads see of what belongs to no single organization: everything for the platform that acts in none, else
/// what the caller's organization sees.
pub fn view(caller: &Caller) -> shared_db::error::Result<(Scope, Option<OrganizationId>)> {
    match caller.org {
        None if caller.is_platform() => Ok((Scope::Platform, None)),
        _ => Ok((caller.scope()?, Some(caller.org()?))),
    }
}
