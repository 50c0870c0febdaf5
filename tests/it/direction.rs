//! Calls go one way, from web to runtime: five proofs that share nothing with one another.

mod graph;
mod identity;
mod namespaces;
mod rotation;
mod settings;

use common_api::options::Role;
use freehold_tests::client::{Api, least_role, path_of};

#[test]
fn no_method_of_web_is_one_that_a_service_identity_may_call() {
    for method in Api::Web.methods() {
        let role = least_role(&method);
        assert!(role != Role::WebService && role != Role::Unspecified, "{}", path_of(&method));
    }
}

#[test]
fn every_method_of_the_runtime_is_for_web_alone() {
    for method in Api::Runtime.methods() {
        assert_eq!(least_role(&method), Role::WebService, "{}", path_of(&method));
    }
}

#[test]
fn the_runtimes_contract_does_not_know_webs() {
    let pool = Api::Runtime.pool();
    assert_eq!(pool.services().filter(|it| it.full_name().starts_with("freehold.web.")).count(), 0);
    assert_eq!(
        pool.all_messages().filter(|it| it.full_name().starts_with("freehold.web.")).count(),
        0
    );
}
