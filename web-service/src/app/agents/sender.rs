//! Sends accepted commands again whose call died before they were answered. It runs in every replica and needs no leader: a row
//! is claimed by putting off when the next may have it.

use super::commands::{self, Command, LEASE};
use crate::{
    app::App,
    store::identity::request_ids::{self, Due},
};
use anyhow::Result;
use futures_util::{StreamExt, stream};
use shared_db::{
    error,
    scope::Scope,
    service::{Caller, caller::Role, trace_context},
};
use std::{sync::Arc, time::Duration};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

/// Commands that are claimed at a time, and sent at once.
const BATCH: i64 = 32;
const CONCURRENT: usize = 8;

/// No command waits longer for its next sending.
const BACKOFF_MAX: Duration = Duration::from_mins(1);

/// How long request ids are kept, and how often those that are older are removed.
const RETENTION: Duration = Duration::from_hours(30 * 24);
const PURGE_INTERVAL: Duration = Duration::from_hours(1);
const PURGE_BATCH: i64 = 1000;

/// Works until `stop`. An error of the database ends it; it is started again.
pub async fn run(app: App, interval: Duration, stop: CancellationToken) -> Result<()> {
    let mut purge_at = Instant::now();
    loop {
        let sent = pass(&app, &stop).await?;
        if purge_at <= Instant::now() {
            purge(&app).await?;
            purge_at = Instant::now() + PURGE_INTERVAL;
        }
        let wait = if sent == BATCH { Duration::ZERO } else { interval };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = tokio::time::sleep(wait) => {}
        }
    }
}

/// Sends what is due. Returns how many commands there were.
async fn pass(app: &App, stop: &CancellationToken) -> error::Result<i64> {
    let mut tx = app.db.begin(Scope::Platform).await?;
    let due = request_ids::claim_due(&mut tx, BATCH, LEASE).await?;
    tx.commit().await?;
    let count = due.len();
    stream::iter(due)
        .take_until(stop.cancelled())
        .for_each_concurrent(CONCURRENT, |due| {
            let app = app.clone();
            async move { resend(&app, due).await }
        })
        .await;
    Ok(i64::try_from(count).unwrap_or(BATCH))
}

async fn resend(app: &App, due: Due) {
    let span = tracing::info_span!(
        "sender.resend",
        method = due.method,
        id = %due.resource_id,
        attempt = due.send_attempts,
    );
    trace_context::continue_from(&span, due.traceparent.as_deref());
    async {
        match one(app, &due).await {
            Ok(()) => tracing::info!("an accepted command was sent again and answered"),
            Err(error) if commands::is_refusal(&error) => {
                tracing::info!(%error, "an accepted command was refused");
            }
            Err(error) => {
                tracing::warn!(%error, "an accepted command could not be sent; it is tried again");
                put_off(app, &due).await;
            }
        }
    }
    .instrument(span)
    .await;
}

async fn one(app: &App, due: &Due) -> error::Result<()> {
    let Some(command) = Command::decode(&due.method, &due.command)? else {
        // A newer release wrote it; one of its replicas sends it.
        return Ok(());
    };
    // The role was checked when the command was accepted.
    let caller = Caller {
        org: Some(due.org_id),
        user: due.user_id,
        api_key: due.api_key_id,
        role: Role::Developer,
        permissions: Arc::default(),
    };
    commands::send(app, &caller, &due.request_id, due.resource_id, command).await.map(drop)
}

/// The more often it has failed, the longer it waits.
async fn put_off(app: &App, due: &Due) {
    let doublings = u32::try_from(due.send_attempts).unwrap_or(0).min(6);
    let delay = Duration::from_secs(2_u64.pow(doublings)).min(BACKOFF_MAX);
    let done = async {
        let mut tx = app.db.begin(Scope::Tenant(due.org_id, None)).await?;
        request_ids::send_after(&mut tx, due.org_id, &due.request_id, delay).await?;
        tx.commit().await
    };
    if let Err(error) = done.await {
        tracing::warn!(%error, "a command stays claimed until its lease ends");
    }
}

/// Removes request ids that nobody repeats any more.
async fn purge(app: &App) -> error::Result<()> {
    loop {
        let mut tx = app.db.begin(Scope::Platform).await?;
        let purged = request_ids::purge(&mut tx, RETENTION, PURGE_BATCH).await?;
        tx.commit().await?;
        if purged < PURGE_BATCH.unsigned_abs() {
            return Ok(());
        }
    }
}
