//! What a running service says of itself: its methods by reflection, its health by service.

use freehold_tests::{client::Api, doors::channel, stack::Stack};
use std::collections::BTreeSet;
use tokio_stream::once;
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::{v1, v1alpha};

/// The contract's own services, by their full names.
fn services(api: Api) -> BTreeSet<String> {
    api.methods().map(|it| it.parent_service().full_name().to_owned()).collect()
}

#[tokio::test]
async fn reflection_lists_every_service_in_both_versions() {
    let stack = Stack::shared().await;
    for (api, served) in [(Api::Web, &stack.web), (Api::Runtime, &stack.runtimes[0])] {
        let request = v1::ServerReflectionRequest {
            host: String::new(),
            message_request: Some(v1::server_reflection_request::MessageRequest::ListServices(
                String::new(),
            )),
        };
        let mut client =
            v1::server_reflection_client::ServerReflectionClient::new(served.channel.clone());
        let mut answers = client.server_reflection_info(once(request)).await.unwrap().into_inner();
        let answer = answers.message().await.unwrap().unwrap().message_response;
        let Some(v1::server_reflection_response::MessageResponse::ListServicesResponse(list)) =
            answer
        else {
            panic!("a list of services, not {answer:?}")
        };
        let listed: BTreeSet<_> = list.service.into_iter().map(|it| it.name).collect();
        assert!(services(api).is_subset(&listed), "v1 lists {listed:?}");

        let request = v1alpha::ServerReflectionRequest {
            host: String::new(),
            message_request: Some(
                v1alpha::server_reflection_request::MessageRequest::ListServices(String::new()),
            ),
        };
        let mut client =
            v1alpha::server_reflection_client::ServerReflectionClient::new(served.channel.clone());
        let mut answers = client.server_reflection_info(once(request)).await.unwrap().into_inner();
        let answer = answers.message().await.unwrap().unwrap().message_response;
        let Some(v1alpha::server_reflection_response::MessageResponse::ListServicesResponse(list)) =
            answer
        else {
            panic!("a list of services, not {answer:?}")
        };
        let listed: BTreeSet<_> = list.service.into_iter().map(|it| it.name).collect();
        assert!(services(api).is_subset(&listed), "v1alpha lists {listed:?}");
    }
}

/// What a tool needs to call a method that it has never heard of.
#[tokio::test]
async fn reflection_describes_every_method() {
    let stack = Stack::shared().await;
    for (api, served) in [(Api::Web, &stack.web), (Api::Runtime, &stack.runtimes[0])] {
        for service in services(api) {
            let symbol = v1::server_reflection_request::MessageRequest::FileContainingSymbol(
                service.clone(),
            );
            let request =
                v1::ServerReflectionRequest { host: String::new(), message_request: Some(symbol) };
            let mut client =
                v1::server_reflection_client::ServerReflectionClient::new(served.channel.clone());
            let mut answers =
                client.server_reflection_info(once(request)).await.unwrap().into_inner();
            let answer = answers.message().await.unwrap().unwrap().message_response;
            let described = matches!(
                answer,
                Some(v1::server_reflection_response::MessageResponse::FileDescriptorResponse(_))
            );
            assert!(described, "{service}: {answer:?}");
        }
    }
}

#[tokio::test]
async fn health_is_told_for_each_service_and_for_all() {
    let stack = Stack::shared().await;
    for (api, served) in [(Api::Web, &stack.web), (Api::Runtime, &stack.runtimes[0])] {
        let mut client = HealthClient::new(channel(served.health));
        for service in services(api).into_iter().chain([String::new()]) {
            let request = HealthCheckRequest { service: service.clone() };
            let status = client.check(request).await.unwrap().into_inner().status();
            assert_eq!(status, ServingStatus::Serving, "{service:?}");
        }
        let request = HealthCheckRequest { service: "freehold.web.v1.Nonsense".to_owned() };
        let status = client.check(request).await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::NotFound);
    }
}
