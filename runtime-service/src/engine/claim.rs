//! Takes work from the queue for as long as there are hands free.

pub mod ring;

use super::{
    Core, drive,
    rounds::{Backoff, jitter},
};
use crate::store::queue::{self, Claimed, Head, Limited};
use ring::Ring;
use shared_db::{
    error::Result,
    ids::OrganizationId,
    scope::{Scope, Tx},
};
use std::{sync::Arc, time::Duration};
use tokio::{sync::OwnedSemaphorePermit, time::Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Most that one statement claims.
const BATCH_MAX: usize = 500;

/// Organizations with limits that are served between two claims of the others: each takes a transaction of its own.
const LIMITED_MAX: usize = 8;

/// How soon an organization is tried again whose limits another claimer was at.
const CONTENDED: Duration = Duration::from_millis(5);

/// Organizations that one look at the queue finds.
const HEADS_MAX: i64 = 1000;

/// What one round makes ready because its time has come.
const PROMOTED_MAX: i64 = 1000;

/// How soon hands are counted again while all that are free are kept for those who come new.
const KEPT_PAUSE: Duration = Duration::from_millis(1);

/// How many times longer the pause between two looks grows when there is nothing to do.
const IDLE_FACTOR: u32 = 5;

/// Claims until `stop`. Each execution is a task of its own.
pub(super) async fn run(core: &Arc<Core>, stop: &CancellationToken) {
    let mut claimer = Claimer {
        core,
        ring: Ring::new(core.backlog.clone()),
        looked_at: None,
        after: Uuid::nil(),
        idle: 0,
        limited_first: false,
    };
    let mut backoff = Backoff::default();
    while !stop.is_cancelled() {
        // Waits for the first free hand, so that a busy worker does not poll.
        let free = tokio::select! {
            free = core.hands.free() => free,
            () = stop.cancelled() => return,
        };
        let limit = room(core, free);
        if limit == 0 {
            tokio::time::sleep(KEPT_PAUSE).await;
            continue;
        }
        let pause = match claimer.round(limit).await {
            Ok(Next::Now) => {
                backoff.reset();
                continue;
            }
            Ok(Next::After(pause)) => {
                backoff.reset();
                pause.mul_f64(jitter())
            }
            Err(error) => {
                core.metrics.fault("claim");
                tracing::warn!(error = %shared_db::error::chain(&error), "claiming failed");
                backoff.next()
            }
        };
        tokio::select! {
            () = tokio::time::sleep(pause) => {}
            () = core.wake.heard() => {}
            () = stop.cancelled() => return,
        }
    }
}

/// How many of the hands that are free the next round may take.
fn room(core: &Core, free: usize) -> usize {
    let free = if core.pace.is_asked() { core.hands.spare(free) } else { free };
    core.pace.rows(free).min(BATCH_MAX)
}

struct Claimer<'c> {
    core: &'c Arc<Core>,
    ring: Ring,
    looked_at: Option<Instant>,
    /// Where the next look at the queue begins, when one does not find all.
    after: Uuid,
    /// Rounds without work, one after the other.
    idle: u32,
    /// Organizations with limits were served before the others.
    limited_first: bool,
}

enum Next {
    Now,
    After(Duration),
}

impl Claimer<'_> {
    /// One claim, after a look at the queue if it is time for one.
    async fn round(&mut self, limit: usize) -> Result<Next> {
        let every = self.core.config.poll_interval;
        if self.core.identity().is_none() {
            // Who becomes a worker is told; until then every claim would come back empty at once.
            return Ok(Next::After(every));
        }
        let mut due = every;
        let told = self.core.wake.take();
        for org in told.orgs {
            self.ring.add(org);
        }
        if told.everything {
            self.looked_at = None;
        }
        let stale = self.looked_at.is_none_or(|it| it + every <= Instant::now());
        if self.ring.is_empty() || stale {
            due = self.look().await?;
        }
        let (took, contended) = self.claim_all(limit).await?;
        if took == 0 && contended {
            self.idle = 0;
            return Ok(Next::After(CONTENDED));
        }
        if took > 0 || !self.ring.is_empty() {
            self.idle = 0;
            return Ok(Next::Now);
        }
        self.idle = (self.idle + 1).min(IDLE_FACTOR);
        Ok(Next::After(due.min(every * self.idle)))
    }

    /// Readies what is due and learns who has work. Returns how long until something else is due.
    async fn look(&mut self) -> Result<Duration> {
        self.looked_at = Some(Instant::now());
        let (after, known) = (OrganizationId(self.after), self.ring.known());
        let core = self.core;
        let (heads, due) = core
            .bounded(async {
                let mut tx = core.begin_in_order().await?;
                let promoted = queue::promote(&mut tx, PROMOTED_MAX).await?;
                let heads = queue::heads(&mut tx, after, &known, HEADS_MAX).await?;
                let due = queue::due_in(&mut tx).await?;
                if promoted.is_empty() {
                    drop(tx);
                } else {
                    tx.commit().await?;
                }
                Ok((heads, due))
            })
            .await?;
        let all = i64::try_from(heads.len()).unwrap_or(HEADS_MAX) < HEADS_MAX;
        if all {
            core.backlog.open();
        }
        self.after = heads.last().filter(|_| !all).map_or(Uuid::nil(), |it| it.org.0);
        for head in heads {
            self.ring.found(head);
        }
        Ok(due)
    }

    /// Claims for organizations without limits and for those with them, each with an equal part of `limit`; which kind goes first
    /// alternates, so that neither takes every hand that becomes free.
    async fn claim_all(&mut self, limit: usize) -> Result<(usize, bool)> {
        let (limited, others) = (self.ring.limited().min(LIMITED_MAX), self.ring.unlimited());
        let share = limit.div_ceil((limited + others).max(1));
        self.limited_first = !self.limited_first;
        if self.limited_first {
            let (took, contended) = self.claim_limited(limit, share).await?;
            let left = limit.saturating_sub(took).min(share * others);
            return Ok((took + self.claim(left).await?, contended));
        }
        let took = self.claim(limit.min(share * others)).await?;
        let (more, contended) = self.claim_limited(limit.saturating_sub(took), share).await?;
        Ok((took + more, contended))
    }

    async fn claim(&mut self, limit: usize) -> Result<usize> {
        let hands = self.core.hands.take(limit);
        let seeks = self.ring.seeks(hands.len());
        let Some(worker) = self.core.identity().filter(|_| !seeks.is_empty()) else { return Ok(0) };
        let began = Instant::now();
        let core = self.core;
        let mut claimed = core
            .bounded(async {
                let _turn = core.pace.turn(hands.len()).await;
                let mut tx = core.begin_in_order().await?;
                let claimed = queue::claim(&mut tx, worker, &seeks).await?;
                if !claimed.is_empty() {
                    tx.commit().await?;
                }
                Ok(claimed)
            })
            .await?;
        self.ring.learn(&seeks, &claimed, began.elapsed());
        claimed.sort_unstable_by_key(|it| it.rank);
        let count = claimed.len();
        begin_all(core, claimed, hands);
        Ok(count)
    }

    /// Also says whether somebody else was at the limits of an organization: it may have counted before what has made room since, so
    /// the organization is tried again.
    async fn claim_limited(&mut self, limit: usize, share: usize) -> Result<(usize, bool)> {
        let (mut count, mut contended) = (0, Vec::new());
        for _ in 0..LIMITED_MAX.min(self.ring.limited()) {
            let core = self.core;
            let hands = core.hands.take(share.min(limit.saturating_sub(count)));
            let Some(worker) = core.identity().filter(|_| !hands.is_empty()) else { break };
            let Some(org) = self.ring.next_limited() else { break };
            let share = i64::try_from(hands.len()).unwrap_or(i64::MAX);
            let claimed = core
                .bounded(async {
                    let mut tx = core.begin_in_order().await?;
                    let claimed = queue::claim_limited(&mut tx, worker, org, share).await?;
                    tx.commit().await?;
                    Ok(claimed)
                })
                .await?;
            let claimed = match claimed {
                Limited::Claimed(claimed) => claimed,
                Limited::Contended => {
                    contended.push(org);
                    continue;
                }
                Limited::Unlimited => {
                    self.ring.found(Head { org, limited: false });
                    continue;
                }
            };
            count += claimed.len();
            begin_all(core, claimed, hands);
        }
        for org in &contended {
            self.ring.add(*org);
        }
        Ok((count, !contended.is_empty()))
    }
}

fn begin_all(core: &Arc<Core>, claimed: Vec<Claimed>, hands: Vec<OwnedSemaphorePermit>) {
    let mut hands = hands.into_iter();
    for one in claimed {
        drive::begin(core, one, hands.next());
    }
}

impl Core {
    /// A transaction of the engine across organizations, whose statements are planned once and for all, whatever the tables held when the
    /// plan was made: what comes in an order is read by the index that has it.
    pub(crate) async fn begin_in_order(&self) -> Result<Tx> {
        self.db.begin_planned(Scope::Platform).await
    }

    /// The same for statements that name the rows that they are about.
    pub(crate) async fn begin_by_key(&self) -> Result<Tx> {
        self.db.begin_by_key(Scope::Platform).await
    }
}
