//! What was created can be read, and what was not can not.

use super::{assert_names, assert_not_found, unknown_id};
use crate::conformance::{
    resource::{Resource, World},
    words::{contains, snake},
};
use tonic_types::StatusExt;

pub(crate) async fn a_created_one_reads_back<R: Resource>() {
    let world = World::<R>::new().await;
    let draft = world.draft();
    let created = world.try_create(draft.clone()).await.unwrap();
    assert_eq!(world.get(World::<R>::id(&created)).await.unwrap(), created);
    let given = R::given_back(draft);
    assert!(contains(&created, &given), "{created:#} has all of {given:#}");
}

pub(crate) async fn an_unknown_id_is_not_found<R: Resource>() {
    let world = World::<R>::new().await;
    let id = unknown_id();
    let status = assert_not_found(world.get(&id).await);
    let info = status.get_details_resource_info().expect("ResourceInfo says what was not found");
    assert_eq!((info.resource_type, info.resource_name), (snake(R::KIND), id));
}

pub(crate) async fn a_malformed_id_is_named<R: Resource>() {
    let world = World::<R>::new().await;
    for id in ["", "nonsense", "00000000-0000-0000-0000-00000000000g", "1' or '1'='1"] {
        assert_names(world.get(id).await, R::ID);
    }
}
