//! Whose turn it is: the organizations that have work, in a ring. Each claim serves those at its front and moves them to its back, so that
//! one with a million executions delays another's single one by one batch.

use crate::{
    engine::backlog::Backlog,
    store::queue::{Claimed, Head, Seek},
};
use shared_db::ids::OrganizationId;
use std::{
    collections::{HashMap, HashSet, VecDeque},
    time::Duration,
};
use tokio::time::Instant;

/// Organizations that one statement serves.
const SERVED_MAX: usize = 64;

/// How far behind the last rank that was taken the next look begins: commits that come a little late land there. What comes later is found by
/// the next look from the first rank on. Each claim steps over what was taken within this time, which is dear while a snapshot keeps it.
const MARGIN_MS: i64 = 500;

/// Organizations that a look at the queue need not look for.
const KNOWN_MAX: usize = 64;

/// How often a look begins at the very first rank all the same: what is urgent, and what comes later than the margin, lands there.
const WHOLE_INTERVAL: Duration = Duration::from_millis(250);

/// A look from the first rank on steps over every row that was taken before and is not cleaned up yet. It may cost this share of the time.
const WHOLE_SHARE: u32 = 20;

#[derive(Debug)]
struct Place {
    org: OrganizationId,
    /// `i64::MIN`: from the first rank on.
    from_rank: i64,
}

#[derive(Debug)]
pub struct Ring {
    places: VecDeque<Place>,
    limited: VecDeque<OrganizationId>,
    /// Who had limits when the queue was last looked at.
    capped: HashSet<OrganizationId>,
    known: Backlog,
    whole_at: Instant,
}

impl Ring {
    pub fn new(known: Backlog) -> Self {
        Self {
            places: VecDeque::new(),
            limited: VecDeque::new(),
            capped: HashSet::new(),
            known,
            whole_at: Instant::now(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Takes up an organization that has work, as a look at the queue found it.
    pub fn found(&mut self, head: Head) {
        let changed =
            if head.limited { self.capped.insert(head.org) } else { self.capped.remove(&head.org) };
        if changed && self.known.remove(head.org) {
            // It would never be served where it is: each of the two kinds of claim leaves the other's alone.
            self.places.retain(|it| it.org != head.org);
            self.limited.retain(|it| *it != head.org);
        }
        self.add(head.org);
    }

    /// Takes up an organization that has work, if it is not here.
    pub fn add(&mut self, org: OrganizationId) {
        if !self.known.add(org) {
            return;
        }
        if self.capped.contains(&org) {
            self.limited.push_back(org);
        } else {
            // A newcomer is served next, not after everybody whom the ring knows.
            self.places.push_front(Place { org, from_rank: i64::MIN });
        }
    }

    /// Whom the next claim serves, each with an equal share of `limit`.
    pub fn seeks(&mut self, limit: usize) -> Vec<Seek> {
        let served = self.places.len().min(SERVED_MAX).min(limit);
        if served == 0 {
            return Vec::new();
        }
        let whole = self.whole_at <= Instant::now();
        // Never more than `limit` in all: what is taken without a hand would wait here, while another worker's hand is free.
        let (share, left) = (limit / served, limit % served);
        let seek = |(at, it): (usize, &Place)| Seek {
            org: it.org,
            from_rank: if whole { i64::MIN } else { it.from_rank },
            share: i64::try_from(share + usize::from(at < left)).unwrap_or(i64::MAX),
        };
        self.places.iter().take(served).enumerate().map(seek).collect()
    }

    /// Learns what a claim by `seeks` has brought. `took` is how long it took.
    pub fn learn(&mut self, seeks: &[Seek], claimed: &[Claimed], took: Duration) {
        let mut came: HashMap<OrganizationId, (i64, i64)> = HashMap::new();
        for it in claimed {
            let (count, last) = came.entry(it.lease.org).or_insert((0, i64::MIN));
            *count += 1;
            *last = it.rank.max(*last);
        }
        self.served(seeks, |org| came.get(&org).copied(), took);
    }

    /// The same of how many each of `seeks` gave, and the rank of the last one.
    fn served(
        &mut self,
        seeks: &[Seek],
        came: impl Fn(OrganizationId) -> Option<(i64, i64)>,
        took: Duration,
    ) {
        if seeks.iter().any(|it| it.from_rank == i64::MIN) {
            self.whole_at = Instant::now() + WHOLE_INTERVAL.max(took * WHOLE_SHARE);
        }
        for seek in seeks {
            let Some(at) = self.places.iter().position(|it| it.org == seek.org) else { continue };
            let Some(place) = self.places.remove(at) else { continue };
            let next = match came(seek.org) {
                Some((count, last)) if count >= seek.share => Some(last.saturating_sub(MARGIN_MS)),
                None if seek.from_rank == i64::MIN => None,
                // It may have more before the mark.
                _ => Some(i64::MIN),
            };
            match next {
                Some(from_rank) => {
                    self.places.push_back(Place { from_rank, ..place });
                }
                None => drop(self.known.remove(seek.org)),
            }
        }
    }

    /// Organizations that were served last and have work, in the order of their ids: as far as one look at the queue is told of them.
    pub fn known(&self) -> Vec<OrganizationId> {
        let mut known: Vec<_> = self.places.iter().rev().take(KNOWN_MAX).map(|it| it.org).collect();
        known.sort_unstable();
        known
    }

    /// How many organizations without limits have work.
    pub fn unlimited(&self) -> usize {
        self.places.len()
    }

    /// How many organizations with limits have work.
    pub fn limited(&self) -> usize {
        self.limited.len()
    }

    /// The next organization with limits, which leaves the ring until it is seen to have work again.
    pub fn next_limited(&mut self) -> Option<OrganizationId> {
        let org = self.limited.pop_front()?;
        self.known.remove(org);
        Some(org)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn org() -> OrganizationId {
        OrganizationId::generate()
    }

    fn orgs(seeks: &[Seek]) -> Vec<OrganizationId> {
        seeks.iter().map(|it| it.org).collect()
    }

    #[test]
    fn one_alone_gets_everything_and_two_get_halves() {
        let mut ring = Ring::new(Backlog::default());
        let (one, two) = (org(), org());
        ring.add(one);
        assert_eq!(ring.seeks(500)[0].share, 500);
        ring.add(two);
        ring.add(two);
        let seeks = ring.seeks(500);
        assert_eq!((seeks.len(), seeks[0].share), (2, 250));
        let odd = ring.seeks(7);
        assert_eq!((odd[0].share, odd[1].share), (4, 3), "all hands and no more");
    }

    #[test]
    fn a_newcomer_is_served_with_the_next_claim_whoever_was_there_before() {
        let mut ring = Ring::new(Backlog::default());
        (0..1000).for_each(|_| ring.add(org()));
        let newcomer = org();
        ring.add(newcomer);
        assert!(orgs(&ring.seeks(500)).contains(&newcomer));
    }

    #[test]
    fn everybody_is_served_once_before_anybody_is_served_again() {
        let mut ring = Ring::new(Backlog::default());
        let all: HashSet<_> = (0..200).map(|_| org()).inspect(|it| ring.add(*it)).collect();
        let mut served = Vec::new();
        while served.len() < 200 {
            let seeks = ring.seeks(500);
            served.extend(orgs(&seeks));
            ring.served(&seeks, |_| Some((i64::MAX, 0)), Duration::ZERO);
        }
        assert_eq!(served.len(), 200 + (64 - 200 % 64));
        assert_eq!(served[..200].iter().copied().collect::<HashSet<_>>(), all);
    }

    #[test]
    fn who_has_nothing_leaves_but_not_before_a_look_from_the_first_rank() {
        let mut ring = Ring::new(Backlog::default());
        ring.add(org());
        let first = ring.seeks(10);
        assert_eq!(first[0].from_rank, i64::MIN);
        ring.served(&first, |_| Some((10, 50_000)), Duration::ZERO);
        let second = ring.seeks(10);
        assert_eq!(second[0].from_rank, 50_000 - MARGIN_MS);
        ring.served(&second, |_| None, Duration::ZERO);
        assert!(!ring.is_empty(), "there may be more before the mark");
        let third = ring.seeks(10);
        assert_eq!(third[0].from_rank, i64::MIN);
        ring.served(&third, |_| None, Duration::ZERO);
        assert!(ring.is_empty());
    }

    #[test]
    fn a_look_is_told_of_those_that_were_served_last_in_the_order_of_their_ids() {
        let mut ring = Ring::new(Backlog::default());
        (0..KNOWN_MAX + 10).for_each(|_| ring.add(org()));
        let seeks = ring.seeks(500);
        ring.served(&seeks, |_| Some((i64::MAX, 0)), Duration::ZERO);
        let mut served = orgs(&seeks);
        served.sort_unstable();
        assert_eq!(ring.known(), served);
    }

    #[test]
    fn who_gets_limits_is_claimed_by_them_and_who_loses_them_is_not() {
        let mut ring = Ring::new(Backlog::default());
        let it = org();
        ring.add(it);
        ring.found(Head { org: it, limited: true });
        assert!(ring.seeks(10).is_empty(), "it is not in the other part as well");
        assert_eq!(ring.next_limited(), Some(it));
        assert!(ring.is_empty());
        // A hint does not know of limits.
        ring.add(it);
        assert_eq!((ring.seeks(10).len(), ring.limited()), (0, 1));
        ring.found(Head { org: it, limited: false });
        assert_eq!((ring.seeks(10).len(), ring.limited()), (1, 0));
    }
}
