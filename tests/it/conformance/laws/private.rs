//! Rows of one user: nobody else of the organization learns of them, whatever their role.

use super::{assert_not_found, assert_unchanged, unknown_id};
use crate::conformance::{
    resource::{Resource, World},
    words::{merged, snake},
};
use freehold_tests::{
    client::Api,
    errors::{assert_fails, without_id},
};
use serde_json::{Value, json};
use shared_db::error::Reason;
use tonic::Code;

fn requests<R: Resource>(world: &World<R>, id: &str) -> Vec<(String, Value)> {
    let one = json!({ R::ID: id });
    let changed = merged(R::changes(&world.given), one.clone());
    [("Get", one.clone()), ("Update", World::<R>::update_request(&changed, None)), (R::DELETE, one)]
        .map(|(verb, request)| (World::<R>::method(verb), request))
        .into()
}

/// The owner of the organization is told of another's row what is told of an id that nothing ever had.
pub(crate) async fn another_user_of_the_organization_learns_nothing<R: Resource>() {
    others_learn_nothing(World::<R>::new().await).await;
}

/// By policy and by statement: the second is as good without the first.
pub(crate) async fn statements_alone_keep_users_apart<R: Resource>() {
    others_learn_nothing(World::<R>::without_policies().await).await;
}

async fn others_learn_nothing<R: Resource>(world: World<R>) {
    let before = world.create().await;
    let (owner, unknown) = (world.org.owner(), unknown_id());
    let id = World::<R>::id(&before);
    for (seen, never) in requests(&world, id).into_iter().zip(requests(&world, &unknown)) {
        let told = assert_not_found(owner.call(&seen.0, seen.1).await);
        let of_none = assert_not_found(owner.call(&never.0, never.1).await);
        assert_eq!(without_id(&told, id), without_id(&of_none, &unknown), "{}", seen.0);
    }
    let list = merged(R::list_scope(&world.given), json!({ "page_size": 1000 }));
    let theirs = owner.call(&World::<R>::method("List"), list.clone()).await.unwrap();
    assert!(!theirs.to_string().contains(id), "the owner's list shows it");
    let (mine, _) = world.list(list).await.unwrap();
    assert!(mine.iter().any(|it| World::<R>::id(it) == id), "the user's own list does not");
    assert_unchanged(&world, &before).await;
}

/// A key of the organization that stands for no user has no rows of its own.
pub(crate) async fn whoever_acts_for_nobody_is_refused<R: Resource>() {
    let world = World::<R>::new().await;
    let before = world.create().await;
    let nobody = world.org.platform();
    let mut all = requests(&world, World::<R>::id(&before));
    all.push((World::<R>::method("List"), R::list_scope(&world.given)));
    let kind = snake(R::KIND);
    let create = World::<R>::method(R::CREATE);
    assert!(Api::Web.method(&create).input().get_field_by_name(&kind).is_some());
    all.push((create, json!({ kind: world.draft() })));
    for (method, request) in all {
        let result = nobody.call(&method, request).await;
        assert_fails(result, Code::PermissionDenied, Reason::UserMissing, None);
    }
    assert_unchanged(&world, &before).await;
}
