use super::*;
use std::sync::Arc;

fn ids(count: usize) -> HashSet<ExecutionId> {
    (0..count).map(|_| ExecutionId::generate()).collect()
}

#[test]
fn a_payload_names_what_it_can_and_else_means_everything() {
    for count in [1, 2, 227] {
        let wake = Wake::These(ids(count));
        let payload = wake.payload();
        assert!(payload.len() <= PAYLOAD_BYTES_MAX, "{}", payload.len());
        assert_eq!(Wake::from_payload(&payload), wake);
    }
    let many = Wake::These(ids(228)).payload();
    assert_eq!(many, "");
    for payload in ["", "nonsense", "01a1fbb0-3771-755e-a428-6107b77e3c00,"] {
        assert_eq!(Wake::<ExecutionId>::from_payload(payload), Wake::Everything, "{payload}");
    }
}

#[tokio::test]
async fn hints_gather_until_somebody_looks() {
    let gathered = Arc::new(Gathered::new());
    let all = ids(1000);
    for id in &all {
        gathered.add(Wake::These(HashSet::from([*id])));
    }
    assert_eq!(gathered.next().await, Wake::These(all));
    assert_eq!(gathered.take(), None);

    let waiting = tokio::spawn({
        let gathered = gathered.clone();
        async move { gathered.next().await }
    });
    tokio::task::yield_now().await;
    gathered.add(Wake::Everything);
    gathered.add(Wake::These(ids(1)));
    assert_eq!(waiting.await.unwrap(), Wake::Everything);
}

#[test]
fn more_ids_than_are_kept_become_everything() {
    let gathered = Gathered::new();
    gathered.add(Wake::These(ids(IDS_MAX)));
    assert!(matches!(&*gathered.lock(), Some(Wake::These(_))));
    gathered.add(Wake::These(ids(1)));
    assert_eq!(gathered.take(), Some(Wake::Everything));
}
