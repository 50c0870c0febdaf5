//! The order of claims as a pure rule: an oracle that claims by it, and a judge of any claim, whoever made it.
//!
//! An item's rank is when it became available, later by [`AGEING_STEP_MS`] for each priority below the first. Within an organization the
//! lowest rank goes first. A claim visits organizations round a ring, and deals to each it visits in turn until it has enough.

mod properties;

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    ops::Bound,
};

/// What one priority is worth in waiting.
pub(crate) const AGEING_STEP_MS: i64 = 30_000;
/// Most organizations that one claim visits.
pub(crate) const ORGANIZATIONS_MAX: usize = 64;

/// An organization, or an execution: the number of its UUID.
pub(crate) type Id = u128;

/// Something that can be claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) id: Id,
    /// 1, the most urgent, to 5.
    pub(crate) priority: u8,
    pub(crate) available_ms: i64,
}

/// Lower goes first. Of equal ranks the one that has waited longer does.
pub(crate) type Rank = (i64, i64, Id);

pub(crate) fn rank(item: &Item) -> Rank {
    let later = i64::from(item.priority - 1) * AGEING_STEP_MS;
    (item.available_ms + later, item.available_ms, item.id)
}

/// What is ready, by organization, the next one first. No organization is here without an item.
pub(crate) type Ready = BTreeMap<Id, BTreeSet<Rank>>;

/// One that was claimed: the organization and the item's rank, which names it.
pub(crate) type Picked = (Id, Rank);

/// The oracle: what is ready, and where the ring stands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    pub(crate) ready: Ready,
    /// The organization after which the next claim begins.
    pub(crate) after: Option<Id>,
}

impl Queue {
    pub(crate) fn offer(&mut self, organization: Id, item: &Item) {
        self.ready.entry(organization).or_default().insert(rank(item));
    }

    /// Claims up to `limit`.
    pub(crate) fn claim(&mut self, limit: usize) -> Vec<Picked> {
        let visited = self.visited(limit);
        let visits_all = visited.len() == self.ready.len();
        let last = visited.last().copied();
        let mut turns = VecDeque::from(visited);
        let mut picked = Vec::new();
        while picked.len() < limit
            && let Some(organization) = turns.pop_front()
        {
            let items = self.ready.get_mut(&organization);
            if let Some(first) = items.and_then(BTreeSet::pop_first) {
                picked.push((organization, first));
                turns.push_back(organization);
            }
        }
        self.ready.retain(|_, items| !items.is_empty());
        // Whoever was not visited comes first next time. If all were, the turn goes on where the last one was dealt.
        let dealt = picked.last().map(|it| it.0);
        self.after = if visits_all { dealt } else { last }.or(self.after);
        picked
    }

    /// The organizations that a claim visits, in the order of the ring.
    fn visited(&self, limit: usize) -> Vec<Id> {
        let after = self.after.map_or(Bound::Unbounded, Bound::Excluded);
        let later = self.ready.range((after, Bound::Unbounded));
        let sooner = self.after.map(|it| self.ready.range(..=it)).into_iter().flatten();
        later.chain(sooner).map(|it| *it.0).take(limit.min(ORGANIZATIONS_MAX)).collect()
    }
}

/// What is wrong with a claim of up to `limit` from what was `ready`. Where the ring stood does not matter here: see [`Waits`].
pub(crate) fn unfair(ready: &Ready, picked: &[Picked], limit: usize) -> Option<String> {
    let mut shares: BTreeMap<Id, BTreeSet<Rank>> = BTreeMap::new();
    for (organization, rank) in picked {
        let is_ready = ready.get(organization).is_some_and(|it| it.contains(rank));
        if !is_ready || !shares.entry(*organization).or_default().insert(*rank) {
            return Some(format!("{rank:?} was not ready, or was picked twice"));
        }
    }
    let visits = ready.len().min(limit).min(ORGANIZATIONS_MAX);
    if limit < picked.len() || shares.len() != visits {
        let (items, visited) = (picked.len(), shares.len());
        return Some(format!("{items} of {visited} organizations instead of {limit} of {visits}"));
    }
    for (organization, share) in &shares {
        let first = ready[organization].iter().take(share.len());
        if !first.eq(share.iter()) {
            return Some(format!("{organization} was not served in the order of ranks"));
        }
    }
    let most = shares.values().map(BTreeSet::len).max().unwrap_or(0);
    // Who has something left got no less than the others, but for the last round, and only if the claim was full.
    let least = if picked.len() < limit { usize::MAX } else { most.saturating_sub(1) };
    let short = shares.iter().find(|it| it.1.len() < ready[it.0].len().min(least));
    short.map(|it| format!("{} got {} where others got {most}", it.0, it.1.len()))
}

/// How many claims in a row passed over each organization that had something ready.
#[derive(Debug, Default)]
pub(crate) struct Waits(BTreeMap<Id, usize>);

impl Waits {
    /// Notes a claim. What is wrong, if an organization was passed over although everybody else had been visited since.
    ///
    /// It must hold for each ring, that is for each worker, by itself, among organizations that have something ready all the time.
    pub(crate) fn note(
        &mut self,
        ready: &Ready,
        picked: &[Picked],
        limit: usize,
    ) -> Option<String> {
        let served: BTreeSet<Id> = picked.iter().map(|it| it.0).collect();
        self.0.retain(|it, _| ready.contains_key(it) && !served.contains(it));
        for organization in ready.keys().filter(|it| !served.contains(it)) {
            *self.0.entry(*organization).or_default() += 1;
        }
        let most = ready.len().div_ceil(limit.clamp(1, ORGANIZATIONS_MAX));
        let late = self.0.iter().find(|it| most <= *it.1);
        late.map(|(organization, claims)| format!("{organization} was passed over {claims} times"))
    }
}
