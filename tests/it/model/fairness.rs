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
    if let Some(wrong) = misplaced(ready, picked) {
        return Some(wrong);
    }
    let mut shares: BTreeMap<Id, usize> = BTreeMap::new();
    for it in picked {
        *shares.entry(it.0).or_default() += 1;
    }
    let visits = ready.len().min(limit).min(ORGANIZATIONS_MAX);
    if limit < picked.len() || shares.len() != visits {
        let (items, visited) = (picked.len(), shares.len());
        return Some(format!("{items} of {visited} organizations instead of {limit} of {visits}"));
    }
    let most = shares.values().copied().max().unwrap_or(0);
    // Who has something left got no less than the others, but for the last round, and only if the claim was full.
    let least = if picked.len() < limit { usize::MAX } else { most.saturating_sub(1) };
    let short = shares.iter().find(|it| *it.1 < ready[it.0].len().min(least));
    short.map(|it| format!("{} got {} where others got {most}", it.0, it.1))
}

/// What was picked although it was not ready, or twice, or before what goes first in its organization.
pub(crate) fn misplaced(ready: &Ready, picked: &[Picked]) -> Option<String> {
    let mut shares: BTreeMap<Id, BTreeSet<Rank>> = BTreeMap::new();
    for (organization, rank) in picked {
        let is_ready = ready.get(organization).is_some_and(|it| it.contains(rank));
        if !is_ready || !shares.entry(*organization).or_default().insert(*rank) {
            return Some(format!("{rank:?} was not ready, or was picked twice"));
        }
    }
    let mut wrong = shares.iter().filter(|(organization, share)| {
        let first = ready[*organization].iter().take(share.len());
        !first.eq(share.iter())
    });
    wrong.next().map(|it| format!("{} was not served in the order of ranks", it.0))
}

/// What is wrong with how a claim of up to `limit` was dealt among those that it `visited`, if it is one that leaves what an organization
/// has no use for to the next claim, which follows at once. The engine's are: its statement learns with the rows how many there are.
pub(crate) fn uneven(
    ready: &Ready,
    picked: &[Picked],
    visited: &BTreeSet<Id>,
    limit: usize,
) -> Option<String> {
    let mut got: BTreeMap<Id, usize> = visited.iter().map(|it| (*it, 0)).collect();
    for (organization, _) in picked {
        match got.get_mut(organization) {
            Some(count) => *count += 1,
            None => return Some(format!("{organization} was not visited")),
        }
    }
    let (share, left) = (limit / got.len().max(1), limit % got.len().max(1));
    let has = |organization| ready.get(organization).map_or(0, BTreeSet::len);
    if let Some(short) = got.iter().find(|it| *it.1 < has(it.0).min(share)) {
        return Some(format!("{} got {} of a share of {share}", short.0, short.1));
    }
    // What is left of the division is one more for some, for nobody two, and not lost while all have use for it.
    let more = got.values().filter(|it| share < **it).count();
    let most = got.values().copied().max().unwrap_or(0);
    let all_want = got.keys().all(|it| share < has(it));
    let wrong = share + 1 < most || left < more || all_want && more < left;
    wrong.then(|| format!("{more} got more than {share} where {left} were left over: {got:?}"))
}

/// Who was `left` although the `winner` came later than ageing makes up for.
pub(crate) fn overtaken(winner: Item, left: impl IntoIterator<Item = Item>) -> Option<String> {
    let mut wrong = left.into_iter().filter(|left| {
        let later = winner.available_ms - left.available_ms;
        let urgency = i64::from(left.priority) - i64::from(winner.priority);
        0 < later && urgency * AGEING_STEP_MS <= later
    });
    wrong.next().map(|left| format!("{winner:?} overtook {left:?}"))
}

/// How many claims in a row passed over each organization that had something ready, and among how many at most it waited meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Waits(BTreeMap<Id, (usize, usize)>);

impl Waits {
    /// Notes which of those that are `waiting` a claim of up to `limit` visited. What is wrong, if an organization was passed over although
    /// everybody else had been visited since.
    ///
    /// It must hold for each ring, that is for each worker, by itself, among organizations that it knows all the time.
    pub(crate) fn note(
        &mut self,
        waiting: &BTreeSet<Id>,
        visited: &BTreeSet<Id>,
        limit: usize,
    ) -> Option<String> {
        self.0.retain(|it, _| waiting.contains(it) && !visited.contains(it));
        for organization in waiting.difference(visited) {
            let (claims, among) = self.0.entry(*organization).or_default();
            *claims += 1;
            *among = waiting.len().max(*among);
        }
        let limit = limit.clamp(1, ORGANIZATIONS_MAX);
        let late = self.0.iter().find(|(_, (claims, among))| among.div_ceil(limit) <= *claims);
        late.map(|(organization, (claims, _))| {
            format!("{organization} was passed over {claims} times")
        })
    }
}
