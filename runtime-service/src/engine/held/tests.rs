//! What is held, what is lost, and what is said to whoever holds it.

use super::*;
use shared_db::ids::OrganizationId;
use std::time::Duration;

fn lease(token: i64) -> Lease {
    let org = OrganizationId::generate();
    Lease { org, execution: ExecutionId::generate(), token }
}

fn row(lease: &Lease) -> Row {
    let Lease { org, execution, token } = *lease;
    Row { org, execution, token, cancel_requested: false, pause_requested: false }
}

#[tokio::test]
async fn a_lease_that_the_queue_does_not_know_is_lost_and_the_others_are_not() {
    let held = Held::default();
    let (kept, gone, new) = (lease(1), lease(1), lease(1));
    let (kept_word, gone_word) = (held.add(kept), held.add(gone));
    let before = held.leases();
    let new_word = held.add(new);
    assert_eq!(held.compare(&before, &[row(&kept)]).1, 1);
    assert_eq!((*kept_word.borrow(), *gone_word.borrow()), (Word::GoOn, Word::Lost));
    assert_eq!(*new_word.borrow(), Word::GoOn, "it was taken up since");
}

#[tokio::test]
async fn a_row_that_nobody_works_on_is_a_stray_when_it_is_seen_twice() {
    let held = Held::default();
    let (stray, in_flight) = (lease(1), lease(1));
    let rows = [row(&stray), row(&in_flight)];
    assert!(held.compare(&[], &rows).0.is_empty());
    let _word = held.add(in_flight);
    let strays = held.compare(&held.leases(), &rows).0;
    assert_eq!(strays.iter().map(Row::lease).collect::<Vec<_>>(), [stray]);
}

#[tokio::test]
async fn a_worker_that_could_not_renew_is_nobody_and_holds_nothing() {
    let held = Held::default();
    let now = Instant::now();
    held.become_known(WorkerId::generate(), now + Duration::from_secs(9));
    let one = lease(1);
    let word = held.add(one);
    assert!(held.worker(now).is_some());
    assert!(!held.expire(now + Duration::from_secs(8)));
    assert!(held.expire(now + Duration::from_secs(9)));
    assert!(held.worker(now).is_none());
    assert_eq!(*word.borrow(), Word::Lost);
    held.become_known(WorkerId::generate(), now + Duration::from_secs(20));
    assert!(!held.holds(&one, now + Duration::from_secs(10)), "under another name");
}

#[tokio::test]
async fn what_is_held_is_held_until_the_lease_ends_and_under_its_own_token_alone() {
    let held = Held::default();
    let now = Instant::now();
    let (one, other) = (lease(1), lease(1));
    let _word = held.add(one);
    assert!(!held.holds(&one, now), "this process is not known");
    held.become_known(WorkerId::generate(), now + Duration::from_secs(9));
    assert!(held.holds(&one, now + Duration::from_secs(8)));
    assert!(!held.holds(&one, now + Duration::from_secs(9)), "nobody has told it so yet");
    assert!(!held.holds(&other, now) && !held.holds(&Lease { token: 2, ..one }, now));
    held.compare(&held.leases(), &[]);
    assert!(!held.holds(&one, now), "somebody else has it");
}

#[tokio::test]
async fn a_weaker_word_does_not_take_back_a_stronger() {
    let held = Held::default();
    let one = lease(1);
    let word = held.add(one);
    held.pass_on(&[Row { cancel_requested: true, ..row(&one) }]);
    held.drain();
    assert_eq!(*word.borrow(), Word::Cancel);
    held.lose_all();
    assert_eq!(*word.borrow(), Word::Lost);
}

#[tokio::test]
async fn one_that_was_asked_to_pause_hears_that_the_process_stops() {
    let held = Held::default();
    let one = lease(1);
    let word = held.add(one);
    let asked = [Row { pause_requested: true, ..row(&one) }];
    held.pass_on(&asked);
    assert_eq!(*word.borrow(), Word::Pause);
    held.drain();
    assert_eq!(*word.borrow(), Word::Drain);
    held.pass_on(&asked);
    assert_eq!(*word.borrow(), Word::Drain, "it is asked again and again");
}

#[tokio::test]
async fn what_comes_when_the_process_stops_is_handed_back_from_the_start() {
    let held = Held::default();
    held.drain();
    assert_eq!(*held.add(lease(1)).borrow(), Word::Drain);
}
