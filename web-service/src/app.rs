//! What takes more than one statement, and what all handlers share.

pub mod api_keys;
pub mod change;
pub mod members;
pub mod organizations;
pub mod users;

use crate::{Config, auth::cache::Cache};
use anyhow::Result;
use rand::RngCore;
use shared_db::{clock::Clock, page::PageTokens, scope::Db};

/// What every handler has at hand. Clones share all of it.
#[derive(Clone)]
pub struct App {
    pub db: Db,
    pub page_tokens: PageTokens,
    pub clock: Clock,
    /// Callers that were found good; forgotten when something is taken from one of them.
    pub callers: Cache,
}

impl App {
    pub fn new(db: Db, config: &Config) -> Result<Self> {
        let page_tokens = match config.page_token_key.read()? {
            Some(key) => PageTokens::new(key.expose().as_bytes()),
            None => {
                let mut key = [0; 32];
                rand::rng().fill_bytes(&mut key);
                PageTokens::new(&key)
            }
        };
        let callers = Cache::new(config.auth.auth_cache_ttl);
        Ok(Self { db, page_tokens, clock: Clock::System, callers })
    }
}
