//! Another organization learns nothing.

use super::{assert_not_found, assert_unchanged, unknown_id};
use crate::conformance::{
    resource::{Resource, World},
    words::merged,
};
use freehold_tests::errors::without_id;
use serde_json::{Value, json};
use tonic::Status;

/// What somebody with every right in another organization is told, byte for byte, is what is told of an id that nothing ever had.
pub(crate) async fn another_organization_learns_nothing<R: Resource>() {
    let (mine, theirs) = (World::<R>::new().await, World::<R>::new().await);
    let before = mine.create().await;
    let owner = R::mighty(&theirs.org);
    for verb in ["Get", "Update", R::DELETE] {
        let method = World::<R>::method(verb);
        if !World::<R>::can(verb) {
            continue;
        }
        let ask = async |id: &str| -> Status {
            let one = R::named(&mine.given, id);
            let request = match verb {
                "Update" => {
                    World::<R>::update_request(&merged(R::changes(&theirs.given), one), None)
                }
                _ => one,
            };
            assert_not_found(owner.call(&method, request).await)
        };
        let (id, unknown) = (World::<R>::id(&before), unknown_id());
        let (seen, never) = (ask(id).await, ask(&unknown).await);
        assert_eq!(without_id(&seen, id), without_id(&never, &unknown), "{method}");
    }
    assert_unchanged(&mine, &before).await;
}

pub(crate) async fn another_organization_does_not_see_it_in_lists<R: Resource>() {
    let (mine, theirs) = (World::<R>::new().await, World::<R>::new().await);
    let id = World::<R>::id(&mine.create().await).to_owned();
    let shown = async |world: &World<R>| -> bool {
        let (items, _): (Vec<Value>, _) = world.list(json!({ "page_size": 1000 })).await.unwrap();
        items.iter().any(|it| World::<R>::id(it) == id)
    };
    assert!(shown(&mine).await);
    assert!(!shown(&theirs).await);
}
