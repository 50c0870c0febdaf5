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
    others_learn_nothing(&World::<R>::new().await, &World::<R>::new().await).await;
}

pub(crate) async fn another_organization_does_not_see_it_in_lists<R: Resource>() {
    others_lists_do_not_show_it(&World::<R>::new().await, &World::<R>::new().await).await;
}

/// By policy and by statement: the second is as good without the first.
pub(crate) async fn statements_alone_keep_organizations_apart<R: Resource>() {
    let mine = World::<R>::without_policies().await;
    let theirs = World::<R>::without_policies().await;
    others_learn_nothing(&mine, &theirs).await;
    others_lists_do_not_show_it(&mine, &theirs).await;
}

async fn others_learn_nothing<R: Resource>(mine: &World<R>, theirs: &World<R>) {
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
    assert_unchanged(mine, &before).await;
}

async fn others_lists_do_not_show_it<R: Resource>(mine: &World<R>, theirs: &World<R>) {
    let id = World::<R>::id(&mine.create().await).to_owned();
    let shown = async |world: &World<R>| -> bool {
        let (items, _): (Vec<Value>, _) = world.list(json!({ "page_size": 1000 })).await.unwrap();
        items.iter().any(|it| World::<R>::id(it) == id)
    };
    assert!(shown(mine).await);
    assert!(!shown(theirs).await);
}
