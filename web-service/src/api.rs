//! gRPC: one module a service. Handlers accept, parse, make one call, and wrap; there is no SQL here.

pub mod actions;
pub mod agents;
pub mod identity;
pub mod request;

use crate::app::App;
use shared_db::{service::Limits, tuned};
use tonic::service::RoutesBuilder;
use web_api::v1::{
    activity_service_server::ActivityServiceServer, agent_service_server::AgentServiceServer,
    api_key_service_server::ApiKeyServiceServer,
    concurrency_limit_service_server::ConcurrencyLimitServiceServer,
    core_action_service_server::CoreActionServiceServer,
    dead_letter_service_server::DeadLetterServiceServer,
    execution_service_server::ExecutionServiceServer,
    input_request_service_server::InputRequestServiceServer,
    member_service_server::MemberServiceServer,
    organization_service_server::OrganizationServiceServer,
    platform_service_server::PlatformServiceServer, purge_service_server::PurgeServiceServer,
    user_service_server::UserServiceServer,
    workflow_data_service_server::WorkflowDataServiceServer,
};

/// Adds all services.
pub fn add_services(routes: &mut RoutesBuilder, limits: Limits, app: &App) {
    macro_rules! add {
        ($($server:ident($($service:ident)::+)),* $(,)?) => {
            $(routes.add_service(tuned!(limits, $server::new($($service)::+ { app: app.clone() })));)*
        };
    }
    add!(
        OrganizationServiceServer(identity::organizations::OrganizationService),
        UserServiceServer(identity::users::UserService),
        MemberServiceServer(identity::members::MemberService),
        ApiKeyServiceServer(identity::api_keys::ApiKeyService),
        PurgeServiceServer(identity::purges::PurgeService),
        ActivityServiceServer(identity::activities::ActivityService),
        PlatformServiceServer(actions::platforms::PlatformService),
        CoreActionServiceServer(actions::core_actions::CoreActionService),
        AgentServiceServer(agents::agents::AgentService),
        ExecutionServiceServer(agents::executions::ExecutionService),
        DeadLetterServiceServer(agents::dead_letters::DeadLetterService),
        ConcurrencyLimitServiceServer(agents::limits::ConcurrencyLimitService),
        InputRequestServiceServer(agents::input_requests::InputRequestService),
        WorkflowDataServiceServer(agents::workflow_data::WorkflowDataService),
    );
}
