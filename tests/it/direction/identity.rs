//! Fourth proof: whoever shows the runtime's identity to web is refused, with a key as with a certificate.

use freehold_tests::{
    certificates::{Authority, CALLER_NAME, RUNTIME_NAME},
    client::{Api, As, Caller},
    doors::{PLATFORM_KEY, RUNTIME_KEY},
    errors::assert_fails,
    remote::Remote,
    stack::Stack,
};
use serde_json::json;
use shared_db::error::Reason;
use tonic::Code;

/// A method that needs as little as there is.
const METHOD: &str = "OrganizationService/ListOrganizations";

#[tokio::test]
async fn the_runtimes_key_opens_nothing_at_web() {
    let stack = Stack::shared().await;
    for identity in [As::key(RUNTIME_KEY), As::key(RUNTIME_KEY).with("x-freehold-user", "me")] {
        let result = stack.nobody().with_identity(identity).call(METHOD, json!({})).await;
        assert_fails(result, Code::PermissionDenied, Reason::PeerNotAllowed, None);
    }
}

#[tokio::test]
async fn the_runtimes_certificate_opens_nothing_at_web() {
    let stack = Stack::builder().mutual_tls().start().await;
    let authority = stack.authority.as_ref().unwrap();
    let caller = |name: &str, identity: As| {
        Caller::new(authority.channel(stack.web.grpc, name), Api::Web, identity)
    };
    // Not even together with the key that opens everything.
    for identity in [As::default(), As::key(PLATFORM_KEY)] {
        let result = caller(RUNTIME_NAME, identity).call(METHOD, json!({})).await;
        assert_fails(result, Code::PermissionDenied, Reason::PeerNotAllowed, None);
    }
    caller(CALLER_NAME, As::key(PLATFORM_KEY)).call(METHOD, json!({})).await.unwrap();
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_not_heard() {
    let stack = Stack::builder().mutual_tls().start().await;
    let channel = Authority::new().channel(stack.web.grpc, CALLER_NAME);
    let caller = Caller::new(channel, Api::Web, As::key(PLATFORM_KEY));
    assert_eq!(
        caller.call(METHOD, json!({})).await.unwrap_err().code(),
        Code::Unavailable,
        "there is no connection"
    );
}

/// The other way round it works, or the refusals above would prove nothing.
#[tokio::test]
async fn web_commands_the_runtime_by_its_certificate_alone() {
    let stack = Stack::builder().mutual_tls().start().await;
    let remote = Remote::start().await;
    let org = stack.organization().await;
    let agent = org.agent(&[&remote.url("/echo")]).await;
    let execution = org.start(&agent, json!({})).await;
    assert_eq!(org.finish(&execution).await["state"], "EXECUTION_STATE_SUCCEEDED");

    let authority = stack.authority.as_ref().unwrap();
    let channel = authority.channel(stack.runtimes[0].grpc, CALLER_NAME);
    let somebody = Caller::new(channel, Api::Runtime, As::key(RUNTIME_KEY).in_org(&org.id));
    let result = somebody.call("AgentService/GetAgent", json!({ "id": agent })).await;
    assert_fails(result, Code::PermissionDenied, Reason::PeerNotAllowed, None);
}

/// The DNS name is right and the authority too: only the name that says what it is decides.
#[tokio::test]
async fn web_gives_no_command_to_a_runtime_of_another_name() {
    for (name, is_it) in [(RUNTIME_NAME, true), ("spiffe://freehold/another-service", false)] {
        let stack = Stack::builder().mutual_tls().set_web("RUNTIME_NAME", name).start().await;
        let org = stack.organization().await;
        let action = org.action("http://127.0.0.1:1/").await;
        let calls = json!([{ "step_key": "one", "core_action_id": action }]);
        let agent = json!({ "slug": "commanded", "name": "Commanded", "type": "AGENT_TYPE_API",
            "endpoint": { "calls": calls } });
        let request = json!({ "agent": agent });
        let created = org.developer().call("AgentService/CreateAgent", request).await;
        if is_it {
            created.unwrap();
        } else {
            assert_fails(created, Code::Unavailable, Reason::RuntimeUnavailable, None);
        }
    }
}
