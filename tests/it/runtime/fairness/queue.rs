//! A queue on PostgreSQL that the judge knows all of, and the engine's way of claiming from it.

use super::Offer;
use crate::{
    model::fairness::{Id, Item, Picked, Ready, rank},
    runtime::workshop::Workshop,
};
use chrono::{DateTime, TimeDelta, Utc};
use runtime_service::{
    engine::claim::ring::Ring,
    store::{
        executions::NewExecution,
        queue::{self, Seek},
        workers,
    },
};
use serde_json::json;
use shared_db::{
    clock::Clock,
    ids::{AgentId, OrganizationId, WorkerId},
    scope::Scope,
};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

/// A queue with nothing in it but what is offered, and who claims from it.
pub(super) struct Queue<'w> {
    workshop: &'w Workshop,
    agent: AgentId,
    tenants: &'w [OrganizationId],
    worker: WorkerId,
    /// From when on the seconds of offers are counted: so long ago that all of them are over.
    epoch: DateTime<Utc>,
    pub(super) items: BTreeMap<Id, Item>,
    pub(super) ready: Ready,
}

/// What a claim came to.
pub(super) struct Claim {
    pub(super) visited: BTreeSet<Id>,
    pub(super) picked: Vec<Picked>,
}

impl<'w> Queue<'w> {
    pub(super) async fn new(
        workshop: &'w Workshop,
        agent: AgentId,
        tenants: &'w [OrganizationId],
    ) -> Self {
        sqlx::query("delete from runtime.execution_queue").execute(&workshop.root).await.unwrap();
        let worker = WorkerId::generate();
        let mut tx = workshop.db.begin(Scope::Platform).await.unwrap();
        workers::register(&mut tx, worker, Duration::from_mins(10)).await.unwrap();
        tx.commit().await.unwrap();
        let long_ago = (Clock::System.now() - TimeDelta::minutes(20)).timestamp_millis();
        let epoch = DateTime::from_timestamp_millis(long_ago).unwrap();
        let (items, ready) = (BTreeMap::new(), Ready::new());
        Self { workshop, agent, tenants, worker, epoch, items, ready }
    }

    /// Puts executions in the queue that have waited since their seconds: their ranks are what makes them ready.
    pub(super) async fn offer(&mut self, offers: &[Offer]) {
        if offers.is_empty() {
            return;
        }
        let (mut new, mut since) = (Vec::new(), Vec::new());
        for (tenant, priority, second) in offers {
            let org = self.tenants[*tenant];
            let execution = NewExecution {
                org,
                priority: i16::from(*priority),
                ..self.workshop.new_execution(self.agent, json!({}))
            };
            // No two in the same millisecond: their order would be nobody's promise.
            let available_ms = second * 1000 + i64::try_from(self.items.len()).unwrap();
            let id = execution.id.0.as_u128();
            let item = Item { id, priority: *priority, available_ms };
            self.items.insert(id, item);
            self.ready.entry(org.0.as_u128()).or_default().insert(rank(&item));
            since.push(available_ms);
            new.push(execution);
        }
        self.workshop.start_all(&new).await;
        sqlx::query(
            "update runtime.execution_queue as q
             set phase = 'delayed', rank = 0, available_at = $1 + asked.ms * interval '1 millisecond'
             from unnest($2::uuid[], $3::bigint[]) as asked (id, ms)
             where q.execution_id = asked.id",
        )
        .bind(self.epoch)
        .bind(new.iter().map(|it| it.id.0).collect::<Vec<_>>())
        .bind(since)
        .execute(&self.workshop.root)
        .await
        .unwrap();
        let mut tx = self.workshop.db.begin_planned(Scope::Platform).await.unwrap();
        assert_eq!(queue::promote(&mut tx, 1000).await.unwrap().len(), new.len());
        tx.commit().await.unwrap();
    }

    /// Learns who has work, as a worker does when it knows of none.
    pub(super) async fn look(&self, ring: &mut Ring) {
        let mut tx = self.workshop.db.begin_planned(Scope::Platform).await.unwrap();
        let nobody = OrganizationId(uuid::Uuid::nil());
        for head in queue::heads(&mut tx, nobody, &[], 1000).await.unwrap() {
            ring.found(head);
        }
    }

    pub(super) async fn claim(&mut self, ring: &mut Ring, limit: usize) -> Claim {
        let seeks = ring.seeks(limit);
        let began = Instant::now();
        let mut tx = self.workshop.db.begin_planned(Scope::Platform).await.unwrap();
        let claimed = queue::claim(&mut tx, self.worker, &seeks).await.unwrap();
        tx.commit().await.unwrap();
        ring.learn(&seeks, &claimed, began.elapsed());
        let picked = claimed.iter().map(|it| {
            let item = self.items[&it.lease.execution.0.as_u128()];
            (it.lease.org.0.as_u128(), rank(&item))
        });
        Claim { visited: organizations(&seeks), picked: picked.collect() }
    }

    /// Takes what was picked out of what is ready.
    pub(super) fn took(&mut self, picked: &[Picked]) {
        for (organization, rank) in picked {
            self.ready.get_mut(organization).unwrap().remove(rank);
        }
        self.ready.retain(|_, items| !items.is_empty());
    }
}

pub(super) fn organizations(seeks: &[Seek]) -> BTreeSet<Id> {
    seeks.iter().map(|it| it.org.0.as_u128()).collect()
}

impl Workshop {
    /// So many other organizations that may execute an agent.
    pub(in super::super) async fn neighbours(
        &self,
        agent: AgentId,
        count: usize,
    ) -> Vec<OrganizationId> {
        let orgs: Vec<_> = (0..count).map(|_| OrganizationId::generate()).collect();
        sqlx::query(
            "with made as (
                insert into web.organizations (id, slug, name)
                select id, 'o' || replace(id::text, '-', ''), 'A neighbour' from unnest($1::uuid[]) as asked (id)
                returning id
             )
             insert into runtime.agent_organizations (org_id, agent_org_id, agent_id) select id, $2, $3 from made",
        )
        .bind(orgs.iter().map(|it| it.0).collect::<Vec<_>>())
        .bind(self.org.0)
        .bind(agent.0)
        .execute(&self.root)
        .await
        .unwrap();
        orgs
    }
}
