//! The same request, sent again, is the same request.

use super::unknown_id;
use crate::conformance::{
    resource::{Resource, World},
    words::merged,
};
use freehold_tests::errors::assert_fails;
use serde_json::{Value, json};
use shared_db::error::Reason;
use tonic::{Code, Status};

async fn ask<R: Resource>(
    world: &World<R>,
    draft: &Value,
    request_id: &str,
) -> Result<Value, Status> {
    let request = merged(R::create_request(draft.clone()), json!({ "request_id": request_id }));
    world.writer.call(&R::creator(), request).await
}

async fn count<R: Resource>(world: &World<R>) -> usize {
    world.list(json!({ "page_size": 1000 })).await.unwrap().0.len()
}

pub(crate) async fn the_same_request_is_answered_once<R: Resource>() {
    let world = World::<R>::new().await;
    let (draft, request_id) = (world.draft(), unknown_id());
    let before = count(&world).await;
    let first = ask(&world, &draft, &request_id).await.unwrap();
    for _ in 0..3 {
        let again = ask(&world, &draft, &request_id).await.unwrap();
        assert_eq!(World::<R>::id(&again), World::<R>::id(&first));
    }
    assert_eq!(count(&world).await, before + 1);
}

pub(crate) async fn another_payload_under_a_request_id_is_refused<R: Resource>() {
    let world = World::<R>::new().await;
    let request_id = unknown_id();
    let first = ask(&world, &world.draft(), &request_id).await.unwrap();
    let before = count(&world).await;
    let result = ask(&world, &world.draft(), &request_id).await;
    let status = assert_fails(result, Code::AlreadyExists, Reason::RequestIdReused, None);
    let id = World::<R>::id(&first);
    assert!(status.message().contains(&request_id) && status.message().contains(id), "{status:?}");
    assert_eq!(count(&world).await, before);
}

pub(crate) async fn two_at_once_make_one<R: Resource>() {
    let world = World::<R>::new().await;
    let (draft, request_id) = (world.draft(), unknown_id());
    let before = count(&world).await;
    let calls = (0..8).map(|_| ask(&world, &draft, &request_id));
    let answers = futures_util::future::join_all(calls).await;
    let mut ids = Vec::new();
    for answer in answers {
        match answer {
            Ok(it) => ids.push(World::<R>::id(&it).to_owned()),
            Err(status) => {
                let reason = Reason::RequestInProgress;
                freehold_tests::errors::assert_error(&status, Code::Aborted, reason, None);
            }
        }
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "one answer for all");
    assert_eq!(count(&world).await, before + 1);
}
