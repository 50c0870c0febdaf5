//! Who may not, changes nothing.

use super::assert_unchanged;
use crate::conformance::{
    resource::{Resource, World},
    words::merged,
};
use freehold_tests::{
    client::{Api, As},
    errors::assert_fails,
};
use serde_json::{Value, json};
use shared_db::error::Reason;
use tonic::Code;

/// A request for each method that the resource has, all of which are about `resource`.
fn requests<R: Resource>(world: &World<R>, resource: &Value) -> Vec<(String, Value)> {
    let id = json!({ R::ID: World::<R>::id(resource) });
    let changes = merged(R::changes(&world.given), id.clone());
    let requests = [
        ("Get", id.clone()),
        ("List", R::list_scope(&world.given)),
        (R::CREATE, R::create_request(world.draft())),
        ("Update", World::<R>::update_request(&changes, None)),
        (R::DELETE, id),
    ];
    let named = requests.into_iter().map(|(verb, it)| (World::<R>::method(verb), it));
    let known =
        |method: &str| Api::Web.methods().any(|it| method.ends_with(&format!("/{}", it.name())));
    named.filter(|(method, _)| known(method)).collect()
}

pub(crate) async fn nobody_in_particular_is_refused<R: Resource>() {
    let world = World::<R>::new().await;
    let before = world.create().await;
    let nobody = world.reader.with_identity(As::default());
    let stranger = world
        .reader
        .with_identity(As::key("fh_aaaaaaaaaaaa_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"));
    for (method, request) in requests(&world, &before) {
        let result = nobody.call(&method, request.clone()).await;
        assert_fails(result, Code::Unauthenticated, Reason::CredentialsMissing, None);
        let result = stranger.call(&method, request).await;
        assert_fails(result, Code::Unauthenticated, Reason::CredentialsInvalid, None);
    }
    assert_unchanged(&world, &before).await;
}

pub(crate) async fn a_viewer_changes_nothing<R: Resource>() {
    let world = World::<R>::new().await;
    let before = world.create().await;
    for (method, request) in requests(&world, &before) {
        if method.contains("/Get") || method.contains("/List") {
            continue;
        }
        let result = world.org.viewer().call(&method, request).await;
        assert_fails(result, Code::PermissionDenied, Reason::RoleTooLow, None);
    }
    assert_unchanged(&world, &before).await;
}
