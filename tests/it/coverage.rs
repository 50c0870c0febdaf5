//! Every method of both contracts works, for the least role that the contract names and for none below it.

use crate::tour::{Step, Tour, Visitor};
use common_api::options::Role;
use freehold_tests::{
    client::{Api, As, path_of},
    errors::assert_fails,
};
use shared_db::error::Reason;
use std::collections::BTreeSet;
use tonic::Code;

/// Methods that the tour does not call. This list may only shrink.
const EXCEPTIONS: [&str; 0] = [];

struct Nobody;

impl Visitor for Nobody {
    async fn before(&mut self, _: &Tour, _: &Step) {}
}

#[tokio::test]
async fn every_method_is_called_with_success() {
    let tour = Tour::go(&mut Nobody).await;
    let excepted = EXCEPTIONS.map(str::to_owned);
    let covered: BTreeSet<String> = tour.covered().into_iter().chain(excepted).collect();
    let methods = [Api::Web, Api::Runtime].into_iter().flat_map(Api::methods);
    assert_eq!(covered, methods.map(|it| path_of(&it)).collect());
}

/// Tries each call without credentials, with wrong ones, and with a role that is one too low.
struct Unworthy;

impl Visitor for Unworthy {
    async fn before(&mut self, tour: &Tour, step: &Step) {
        let (name, request) = (&step.name, &step.request);
        let nobody = step.caller.with_identity(As::default());
        let result = nobody.call(name, request.clone()).await;
        assert_fails(result, Code::Unauthenticated, Reason::CredentialsMissing, None);

        let org = &tour.org.id;
        for key in ["nonsense", "fh_aaaaaaaaaaaa_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
            let stranger = step.caller.with_identity(As::key(key).in_org(org));
            let result = stranger.call(name, request.clone()).await;
            assert_fails(result, Code::Unauthenticated, Reason::CredentialsInvalid, None);
        }

        let below = match step.role {
            Role::Developer => Role::Viewer,
            Role::Admin => Role::Developer,
            Role::Owner => Role::Admin,
            Role::Platform => Role::Owner,
            // There is none below, or it is no role of a person.
            Role::AnyCaller | Role::Viewer | Role::WebService | Role::Unspecified => return,
        };
        let result = tour.member(below).call(name, request.clone()).await;
        let status = assert_fails(result, Code::PermissionDenied, Reason::RoleTooLow, None);
        let needed = step.role.as_str_name().trim_start_matches("ROLE_");
        assert!(status.message().contains(needed), "it says which role is needed: {status:?}");
    }
}

#[tokio::test]
async fn every_method_refuses_who_may_not_call_it() {
    Tour::go(&mut Unworthy).await;
}
