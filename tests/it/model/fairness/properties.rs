//! The oracle keeps the rule for everything that can be offered to it, and the judge notices those that do not.

use super::{
    AGEING_STEP_MS, Id, Item, ORGANIZATIONS_MAX, Picked, Queue, Ready, Waits, overtaken, rank,
    uneven, unfair,
};
use proptest::{collection::vec, prelude::*};
use std::collections::{BTreeMap, BTreeSet};

/// Items of some organizations, few enough to meet and spread over twice what ageing can make up for.
fn offers() -> impl Strategy<Value = Vec<(Id, Item)>> {
    let one = (0..100_u128, 1..=5_u8, 0..8 * AGEING_STEP_MS / 1000);
    vec(one, 0..300).prop_map(|all| {
        let numbered = all.into_iter().zip(1..);
        let item = |priority, seconds, id| Item { id, priority, available_ms: seconds * 1000 };
        numbered.map(|((org, priority, seconds), id)| (org, item(priority, seconds, id))).collect()
    })
}

fn queue(offers: &[(Id, Item)], after: Option<Id>) -> Queue {
    let mut queue = Queue { after, ..Queue::default() };
    for (organization, item) in offers {
        queue.offer(*organization, item);
    }
    queue
}

/// An organization with more than anybody can claim in these tests.
fn flood(queue: &mut Queue, organization: Id, items: u32) {
    for number in 0..items {
        let id = organization << 32 | u128::from(number);
        queue.offer(organization, &Item { id, priority: 1, available_ms: i64::from(number) });
    }
}

/// Claims of `limit` until nothing is left, each judged.
fn drain(mut queue: Queue, limit: usize) -> Result<Vec<Picked>, TestCaseError> {
    let mut all = Vec::new();
    while !queue.ready.is_empty() {
        let before = queue.ready.clone();
        let picked = queue.claim(limit);
        prop_assert_eq!(unfair(&before, &picked, limit), None);
        all.extend(picked);
    }
    Ok(all)
}

proptest! {
    // What fails is printed at its smallest; nothing is kept in files.
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn every_claim_is_fair_and_everything_is_claimed_once(
        offers in offers(), limit in 1..90_usize, after in prop::option::of(0..110_u128),
    ) {
        let all = drain(queue(&offers, after), limit)?;
        prop_assert_eq!(all.len(), offers.len());
    }

    #[test]
    fn a_newcomer_with_one_item_is_in_the_next_batch_whatever_the_others_have(
        others in 1..ORGANIZATIONS_MAX, newcomer in 0..200_u128, claims in 0..5_usize, more in 0..30_usize,
    ) {
        let mut queue = Queue::default();
        // The others are 1, 3, 5 and so on: the newcomer stands anywhere among them.
        (0..others).for_each(|it| flood(&mut queue, it as u128 * 2 + 1, 700));
        let limit = others + 1 + more;
        (0..claims).for_each(|_| drop(queue.claim(limit)));
        let newcomer = newcomer * 2;
        // Later than everything, and least urgent.
        queue.offer(newcomer, &Item { id: 1, priority: 5, available_ms: i64::from(u32::MAX) });
        let picked = queue.claim(limit);
        prop_assert!(picked.iter().any(|it| it.0 == newcomer), "{picked:?}");
    }

    #[test]
    fn among_more_organizations_than_a_claim_visits_each_waits_for_one_round(
        organizations in 1..200_usize, limit in 1..90_usize,
    ) {
        let mut queue = Queue::default();
        (0..organizations).for_each(|it| flood(&mut queue, it as u128, 200));
        let mut waits = Waits::default();
        for _ in 0..12 {
            let waiting = queue.ready.keys().copied().collect();
            let visited = queue.claim(limit).iter().map(|it| it.0).collect();
            prop_assert_eq!(waits.note(&waiting, &visited, limit), None);
        }
    }

    #[test]
    fn those_who_always_have_something_get_the_same_in_the_long_run(
        organizations in 1..=ORGANIZATIONS_MAX, limits in vec(64..100_usize, 1..8),
    ) {
        let mut queue = Queue::default();
        (0..organizations).for_each(|it| flood(&mut queue, it as u128, 1000));
        let mut got: BTreeMap<Id, usize> = queue.ready.keys().map(|it| (*it, 0)).collect();
        for limit in limits {
            queue.claim(limit).iter().for_each(|it| *got.entry(it.0).or_default() += 1);
        }
        let (least, most) = (got.values().min(), got.values().max());
        prop_assert!(most <= least.map(|it| it + 1).as_ref(), "{got:?}");
    }

    /// Items come while others are claimed, so that urgent ones can overtake for as long as they like to.
    #[test]
    fn nobody_is_overtaken_by_what_came_later_than_ageing_allows(
        offers in offers(), limit in 1..4_usize, pace_ms in 200..4000_i64,
    ) {
        let mut coming: Vec<Item> = offers.into_iter().map(|it| it.1).collect();
        coming.sort_by_key(|it| it.available_ms);
        let all: BTreeMap<Id, Item> = coming.iter().map(|it| (it.id, *it)).collect();
        let mut coming = coming.into_iter().peekable();
        let mut queue = Queue::default();
        let mut now = 0;
        while coming.peek().is_some() || !queue.ready.is_empty() {
            while let Some(item) = coming.next_if(|it| it.available_ms <= now) {
                queue.offer(1, &item);
            }
            for (_, (.., id)) in queue.claim(limit) {
                let left = queue.ready.values().flatten().map(|it| all[&it.2]);
                prop_assert_eq!(overtaken(all[&id], left), None);
            }
            now += pace_ms;
        }
    }
}

#[test]
fn the_least_urgent_is_claimed_in_two_minutes_under_an_endless_flood_of_the_most_urgent() {
    let mut queue = Queue::default();
    queue.offer(1, &Item { id: 0, priority: 5, available_ms: 0 });
    // One comes each second, and one is claimed each second.
    let claimed = (0..1000).find(|second| {
        let id = 1 + u128::try_from(*second).unwrap();
        queue.offer(1, &Item { id, priority: 1, available_ms: second * 1000 });
        queue.claim(1).iter().any(|it| it.1.2 == 0)
    });
    assert_eq!(claimed, Some(4 * AGEING_STEP_MS / 1000));
}

/// Two organizations: one with ten items that are all older, one with two.
fn uneven_ones() -> Ready {
    let mut queue = Queue::default();
    flood(&mut queue, 1, 10);
    for id in [1, 2] {
        queue.offer(2, &Item { id, priority: 3, available_ms: 500 });
    }
    queue.ready
}

fn items(ready: &Ready, organization: Id, items: std::ops::Range<usize>) -> Vec<Picked> {
    let ranks: Vec<_> = ready[&organization].iter().copied().collect();
    ranks[items].iter().map(|it| (organization, *it)).collect()
}

#[test]
fn the_judge_notices_claims_that_break_the_rule() {
    let ready = uneven_ones();
    let picked = |first, second| [items(&ready, 1, first), items(&ready, 2, second)].concat();
    assert_eq!(unfair(&ready, &picked(0..3, 0..2), 5), None);
    assert_eq!(unfair(&ready, &picked(0..2, 0..2), 4), None);
    for (what, wrong, limit) in [
        ("the oldest of all, whoever they belong to", picked(0..4, 0..0), 4),
        ("more for one than for the other", picked(0..3, 0..1), 4),
        ("a share that nobody used is lost", picked(0..2, 0..2), 6),
        ("more than was asked for", picked(0..3, 0..2), 4),
        ("the second before the first", picked(1..3, 0..2), 4),
        ("the same twice", [picked(0..1, 0..2), picked(0..1, 0..0)].concat(), 4),
        ("nothing", Vec::new(), 4),
    ] {
        assert!(unfair(&ready, &wrong, limit).is_some(), "not noticed: {what}");
    }
    let foreign = vec![(2, rank(&Item { id: 9, priority: 1, available_ms: 0 }))];
    assert!(unfair(&ready, &foreign, 1).is_some(), "not noticed: what was never offered");
}

#[test]
fn the_judge_notices_claims_that_are_dealt_unevenly() {
    let ready = uneven_ones();
    let picked = |first, second| [items(&ready, 1, first), items(&ready, 2, second)].concat();
    let both = BTreeSet::from([1, 2]);
    for (right, limit) in
        [(picked(0..3, 0..2), 5), (picked(0..2, 0..2), 4), (picked(0..3, 0..2), 6)]
    {
        assert_eq!(uneven(&ready, &right, &both, limit), None, "{limit}");
    }
    for (what, wrong, visited, limit) in [
        ("less than a share", picked(0..1, 0..2), &both, 4),
        ("two more than a share", picked(0..4, 0..2), &both, 5),
        ("one more for each where one was left over", picked(0..2, 0..2), &both, 3),
        ("what was left over is lost", picked(0..1, 0..1), &both, 3),
        ("nothing", Vec::new(), &both, 4),
        ("of one that was not visited", picked(0..4, 0..1), &BTreeSet::from([1]), 4),
    ] {
        assert!(uneven(&ready, &wrong, visited, limit).is_some(), "not noticed: {what}");
    }
}

#[test]
fn the_judge_notices_who_is_overtaken_for_too_long() {
    let item = |priority, seconds| Item { id: 1, priority, available_ms: seconds * 1000 };
    let second = AGEING_STEP_MS / 1000;
    for (winner, left, is_wrong) in [
        (item(1, 4 * second - 1), item(5, 0), false),
        (item(1, 4 * second), item(5, 0), true),
        (item(3, 1), item(3, 0), true),
        (item(5, 0), item(1, 1), false),
        (item(2, 1), item(1, 0), true),
    ] {
        assert_eq!(overtaken(winner, [left]).is_some(), is_wrong, "{winner:?} {left:?}");
    }
}

#[test]
fn the_judge_notices_a_ring_that_does_not_turn() {
    let mut queue = Queue::default();
    (0..3).for_each(|it| flood(&mut queue, it, 10));
    let mut waits = Waits::default();
    let found = (0..3).find_map(|_| {
        let waiting = queue.ready.keys().copied().collect();
        queue.after = None;
        let visited = queue.claim(2).iter().map(|it| it.0).collect();
        waits.note(&waiting, &visited, 2)
    });
    assert!(found.is_some());
}
