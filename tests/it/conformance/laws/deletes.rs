//! Deleting takes away one, once.

use super::{assert_names, assert_not_found, unknown_id};
use crate::conformance::resource::{Resource, World};
use serde_json::json;

pub(crate) async fn a_deleted_one_is_gone<R: Resource>() {
    let world = World::<R>::new().await;
    let (gone, kept) = (world.create().await, world.create().await);
    let id = World::<R>::id(&gone);
    world.delete(id).await.unwrap();
    assert_not_found(world.get(id).await);
    assert_not_found(world.delete(id).await);
    let (items, _) = world.list(json!({ "page_size": 1000 })).await.unwrap();
    assert!(items.iter().all(|it| World::<R>::id(it) != id));
    super::assert_unchanged(&world, &kept).await;
}

pub(crate) async fn a_malformed_id_can_not_be_deleted<R: Resource>() {
    let world = World::<R>::new().await;
    for id in ["", "nonsense"] {
        assert_names(world.delete(id).await, R::ID);
    }
    assert_not_found(world.delete(&unknown_id()).await);
}
