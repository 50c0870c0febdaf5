//! Errors that no handler made: each carries its reason, as the handlers' own do.

use super::stand::{Stand, get, watch};
use freehold_tests::{
    database::TestDatabase,
    errors::{assert_error, assert_fails},
};
use shared_db::error::Reason;
use tonic::{
    Code, Request, Status, client::Grpc, codec::CompressionEncoding, metadata::MetadataValue,
};
use tonic_types::StatusExt;
use web_api::v1 as pb;

/// Calls a path with a message of any type.
async fn call<M>(stand: &Stand, path: &'static str, request: Request<M>) -> Status
where
    M: prost::Message + Send + Sync + 'static,
{
    let mut grpc = Grpc::new(stand.channel().await).max_encoding_message_size(usize::MAX);
    grpc.ready().await.unwrap();
    let codec = tonic_prost::ProstCodec::<M, ()>::default();
    grpc.unary(request, path.parse().unwrap(), codec).await.expect_err("the call is refused")
}

#[tokio::test]
async fn a_method_that_does_not_exist_is_said_to_be_unknown() {
    let database = TestDatabase::create().await;
    let stand = Stand::start(&database, &[]).await;
    for path in ["/freehold.web.v1.ExecutionService/NoSuch", "/no.such.Service/Method", "/x"] {
        let status = call(&stand, path, Request::new(())).await;
        assert_error(&status, Code::Unimplemented, Reason::MethodUnknown, None);
    }
    // In the contract, but not served here.
    let mut request = Request::new(());
    request.metadata_mut().insert("x-role", MetadataValue::from_static("viewer"));
    let status = call(&stand, "/freehold.web.v1.AgentService/GetAgent", request).await;
    assert_error(&status, Code::Unimplemented, Reason::MethodUnknown, None);
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused_in_and_out() {
    let database = TestDatabase::create().await;
    let stand = Stand::start(&database, &[]).await;
    let mut client = stand.client().await.max_encoding_message_size(usize::MAX);
    let mut request = get("nothing");
    request.get_mut().id = "x".repeat(5 * 1024 * 1024);
    let status = assert_fails(
        client.get_execution(request).await,
        Code::OutOfRange,
        Reason::MessageTooLarge,
        None,
    );
    assert!(status.message().contains("4194304"), "the limit is named: {status:?}");
    let mut client = client.max_decoding_message_size(usize::MAX);
    assert_fails(
        client.get_execution(get("big")).await,
        Code::OutOfRange,
        Reason::MessageTooLarge,
        None,
    );
}

#[tokio::test]
async fn bytes_that_are_no_message_are_the_callers_fault() {
    let database = TestDatabase::create().await;
    let stand = Stand::start(&database, &[]).await;
    // A message whose field 1 is a number where the method has a string.
    let request =
        get("nothing").map(|_| pb::ListExecutionsRequest { page_size: 7, ..Default::default() });
    let status = call(&stand, "/freehold.web.v1.ExecutionService/GetExecution", request).await;
    assert_error(&status, Code::InvalidArgument, Reason::MalformedMessage, None);
}

#[tokio::test]
async fn a_panic_is_internal_and_nothing_else_suffers() {
    let database = TestDatabase::create().await;
    let stand = Stand::start(&database, &[]).await;
    let mut client = stand.client().await;
    let mut request = get("panic");
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let traceparent = format!("00-{trace}-00f067aa0ba902b7-01");
    request.metadata_mut().insert("traceparent", traceparent.parse().unwrap());
    let status =
        assert_fails(client.get_execution(request).await, Code::Internal, Reason::Internal, None);
    assert!(!status.message().contains("as asked"), "internals do not leak: {status:?}");
    let metadata = status.get_details_error_info().unwrap().metadata;
    assert_eq!(metadata["trace_id"], trace, "the log has it under the caller's trace");

    let mut stream = client.watch_execution(watch("panic")).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    let status = stream.message().await.expect_err("the stream breaks off");
    assert_error(&status, Code::Internal, Reason::Internal, None);

    client.get_execution(get("nothing")).await.expect("the same connection goes on");
}

#[tokio::test]
async fn a_status_without_details_gets_them() {
    let database = TestDatabase::create().await;
    let stand = Stand::start(&database, &[]).await;
    let mut client = stand.client().await;
    let status = assert_fails(
        client.get_execution(get("bare")).await,
        Code::Internal,
        Reason::Internal,
        None,
    );
    assert!(!status.message().contains("own words"), "{status:?}");
    let mut stream = client.watch_execution(watch("bare")).await.unwrap().into_inner();
    assert!(stream.message().await.unwrap().is_some());
    let status = stream.message().await.expect_err("the stream breaks off");
    assert_error(&status, Code::Internal, Reason::Internal, None);
}

#[tokio::test]
async fn a_caller_is_known_before_its_message_is_read() {
    let database = TestDatabase::create().await;
    let stand = Stand::start(&database, &[]).await;
    let mut client = stand.client().await;
    let as_role = |role: Option<&'static str>| {
        let mut request = get("nothing");
        request.get_mut().id = "nonsense".to_owned();
        request.metadata_mut().remove("x-role");
        if let Some(role) = role {
            request.metadata_mut().insert("x-role", MetadataValue::from_static(role));
        }
        request
    };
    let missing = client.get_execution(as_role(None)).await;
    assert_fails(missing, Code::Unauthenticated, Reason::CredentialsMissing, None);
    for role in ["any", "web"] {
        let low = client.get_execution(as_role(Some(role))).await;
        let status = assert_fails(low, Code::PermissionDenied, Reason::RoleTooLow, None);
        assert_eq!(status.get_details_error_info().unwrap().metadata["needed"], "VIEWER");
    }
    let mut nowhere = as_role(Some("viewer"));
    nowhere.metadata_mut().insert("x-no-org", MetadataValue::from_static("1"));
    let nowhere = client.get_execution(nowhere).await;
    assert_fails(nowhere, Code::InvalidArgument, Reason::OrganizationMissing, None);
    for role in ["viewer", "developer", "platform"] {
        let invalid = client.get_execution(as_role(Some(role))).await;
        assert_fails(invalid, Code::InvalidArgument, Reason::InvalidField, "id");
    }
}

#[tokio::test]
async fn every_broken_rule_is_named() {
    let database = TestDatabase::create().await;
    let stand = Stand::start(&database, &[]).await;
    let mut client = stand.client().await;
    let message =
        pb::StartExecutionRequest { agent_id: "x".into(), priority: 9, ..Default::default() };
    let mut request = Request::new(message);
    request.metadata_mut().insert("x-role", MetadataValue::from_static("developer"));
    let status = client.start_execution(request).await.unwrap_err();
    assert_error(&status, Code::InvalidArgument, Reason::InvalidField, None);
    assert_eq!(freehold_tests::errors::fields(&status), ["agent_id", "request_id", "priority"]);
}

#[tokio::test]
async fn messages_may_be_compressed_both_ways() {
    let database = TestDatabase::create().await;
    let stand = Stand::start(&database, &[]).await;
    let client = stand.client().await;
    let mut client = client
        .send_compressed(CompressionEncoding::Gzip)
        .accept_compressed(CompressionEncoding::Gzip);
    let response = client.get_execution(get("nothing")).await.unwrap();
    assert_eq!(response.metadata().get("grpc-encoding").unwrap(), "gzip");
}

#[tokio::test]
async fn reflection_lists_the_services_in_both_versions() {
    use tonic_reflection::pb::{v1, v1alpha};
    let database = TestDatabase::create().await;
    let stand = Stand::start(&database, &[]).await;
    let request = v1::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(v1::server_reflection_request::MessageRequest::ListServices(
            String::new(),
        )),
    };
    let mut client =
        v1::server_reflection_client::ServerReflectionClient::new(stand.channel().await);
    let stream = client.server_reflection_info(tokio_stream::once(request)).await.unwrap();
    let answer = format!("{:?}", stream.into_inner().message().await.unwrap());
    assert!(answer.contains("freehold.web.v1.ExecutionService"), "{answer}");

    let request = v1alpha::ServerReflectionRequest {
        host: String::new(),
        message_request: Some(
            v1alpha::server_reflection_request::MessageRequest::FileContainingSymbol(
                "freehold.web.v1.ExecutionService".into(),
            ),
        ),
    };
    let mut client =
        v1alpha::server_reflection_client::ServerReflectionClient::new(stand.channel().await);
    let stream = client.server_reflection_info(tokio_stream::once(request)).await.unwrap();
    let answer = format!("{:?}", stream.into_inner().message().await.unwrap());
    assert!(answer.contains("FileDescriptorResponse"), "{answer}");
}
