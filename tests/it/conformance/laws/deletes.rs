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

fn undelete<R: Resource>() -> String {
    format!("{}Service/Undelete{}", R::KIND, R::KIND)
}

pub(crate) async fn what_was_deleted_comes_back_as_it_was<R: Resource>() {
    let world = World::<R>::new().await;
    let before = world.create().await;
    let id = json!({ R::ID: World::<R>::id(&before) });
    world.delete(World::<R>::id(&before)).await.unwrap();
    let back = world.writer.call(&undelete::<R>(), id.clone()).await.unwrap();
    for (field, value) in before.as_object().unwrap() {
        let own = ["etag", "update_time"].contains(&field.as_str());
        assert!(own || back[field] == *value, "{field} is {} again", back[field]);
    }
    super::assert_unchanged(&world, &back).await;
    // Once more changes nothing, and what never was does not come back.
    assert_eq!(world.writer.call(&undelete::<R>(), id).await.unwrap(), back);
    let never = json!({ R::ID: unknown_id() });
    assert_not_found(world.writer.call(&undelete::<R>(), never).await);
}

pub(crate) async fn what_is_deleted_is_shown_when_asked_for<R: Resource>() {
    let world = World::<R>::new().await;
    let gone = world.create().await;
    world.delete(World::<R>::id(&gone)).await.unwrap();
    let (items, _) = world.list(json!({ "page_size": 1000, "show_deleted": true })).await.unwrap();
    let shown = items.iter().find(|it| World::<R>::id(it) == World::<R>::id(&gone));
    assert!(shown.is_some_and(|it| it["delete_time"].is_string()), "it says when it was deleted");
}
