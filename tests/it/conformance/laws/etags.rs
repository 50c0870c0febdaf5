//! Two who change the same: the later one is told.

use super::{assert_unchanged, only_id};
use crate::conformance::{
    resource::{Resource, World},
    words::merged,
};
use freehold_tests::errors::assert_fails;
use serde_json::{Value, json};
use shared_db::error::Reason;
use tonic::Code;

/// One that was updated once, and the etag that it had before.
async fn updated<R: Resource>(world: &World<R>) -> (Value, Value) {
    let before = world.create().await;
    let all = merged(only_id::<R>(&before), R::changes(&world.given));
    let after = world.update(all, None).await.unwrap();
    (after, before["etag"].clone())
}

pub(crate) async fn an_update_makes_a_new_etag<R: Resource>() {
    let world = World::<R>::new().await;
    let (after, old) = updated(&world).await;
    assert_ne!(after["etag"], old);
    assert_ne!(after["etag"], "");
}

pub(crate) async fn an_old_etag_changes_nothing<R: Resource>() {
    let world = World::<R>::new().await;
    let (current, old) = updated(&world).await;
    for etag in [old, json!("nonsense"), json!("00000000000000000000000000000000")] {
        let draft = merged(only_id::<R>(&current), R::changes(&world.given));
        let result = world.update(merged(draft, json!({ "etag": etag })), None).await;
        assert_fails(result, Code::Aborted, Reason::EtagMismatch, None);
        assert_unchanged(&world, &current).await;
    }
}

pub(crate) async fn the_newest_etag_is_taken<R: Resource>() {
    let world = World::<R>::new().await;
    let (current, _) = updated(&world).await;
    let changes = merged(only_id::<R>(&current), R::changes(&world.given));
    world.update(merged(changes, json!({ "etag": current["etag"] })), None).await.unwrap();
}

pub(crate) async fn an_old_etag_deletes_nothing<R: Resource>() {
    let world = World::<R>::new().await;
    let (current, old) = updated(&world).await;
    let delete = async |etag: &Value| {
        let request = merged(only_id::<R>(&current), json!({ "etag": etag }));
        let writer = world.about(&world.writer, World::<R>::id(&current));
        writer.call(&World::<R>::method(R::DELETE), request).await
    };
    assert_fails(delete(&old).await, Code::Aborted, Reason::EtagMismatch, None);
    assert_unchanged(&world, &current).await;
    delete(&current["etag"]).await.unwrap();
}
