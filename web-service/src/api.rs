//! gRPC: one module a service. Handlers accept, parse, make one call, and wrap; there is no SQL here.

pub mod actions;
pub mod agents;
pub mod apps;
pub mod billing;
pub mod finance;
pub mod identity;
pub mod integrations;
pub mod marketplace;
pub mod plain;
pub mod request;
pub mod research;

use crate::app::App;
use shared_db::{service::Limits, tuned};
use tonic::service::RoutesBuilder;
use web_api::v1::{
    activity_service_server::ActivityServiceServer, agent_service_server::AgentServiceServer,
    api_key_service_server::ApiKeyServiceServer,
    bank_account_service_server::BankAccountServiceServer,
    brokerage_connection_service_server::BrokerageConnectionServiceServer,
    calendar_event_service_server::CalendarEventServiceServer,
    catalog_integration_service_server::CatalogIntegrationServiceServer,
    concurrency_limit_service_server::ConcurrencyLimitServiceServer,
    core_action_service_server::CoreActionServiceServer,
    credit_price_service_server::CreditPriceServiceServer,
    dead_letter_service_server::DeadLetterServiceServer, email_service_server::EmailServiceServer,
    employee_connection_service_server::EmployeeConnectionServiceServer,
    execution_service_server::ExecutionServiceServer,
    file_folder_service_server::FileFolderServiceServer, file_service_server::FileServiceServer,
    hired_employee_service_server::HiredEmployeeServiceServer,
    holding_service_server::HoldingServiceServer,
    input_request_service_server::InputRequestServiceServer,
    installation_service_server::InstallationServiceServer,
    integration_service_server::IntegrationServiceServer,
    license_section_service_server::LicenseSectionServiceServer,
    license_service_server::LicenseServiceServer, member_service_server::MemberServiceServer,
    message_service_server::MessageServiceServer,
    note_folder_service_server::NoteFolderServiceServer, note_service_server::NoteServiceServer,
    organization_service_server::OrganizationServiceServer,
    platform_service_server::PlatformServiceServer,
    portfolio_service_server::PortfolioServiceServer,
    position_service_server::PositionServiceServer, project_service_server::ProjectServiceServer,
    purge_service_server::PurgeServiceServer,
    research_template_service_server::ResearchTemplateServiceServer,
    sheet_service_server::SheetServiceServer,
    sheet_version_service_server::SheetVersionServiceServer,
    subscription_service_server::SubscriptionServiceServer,
    subscription_tier_service_server::SubscriptionTierServiceServer,
    task_service_server::TaskServiceServer, transaction_service_server::TransactionServiceServer,
    user_service_server::UserServiceServer,
    virtual_employee_service_server::VirtualEmployeeServiceServer,
    wallet_connection_service_server::WalletConnectionServiceServer,
    workflow_data_service_server::WorkflowDataServiceServer,
    workspace_item_service_server::WorkspaceItemServiceServer,
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
        VirtualEmployeeServiceServer(marketplace::virtual_employees::VirtualEmployeeService),
        HiredEmployeeServiceServer(marketplace::hired_employees::HiredEmployeeService),
        EmployeeConnectionServiceServer(
            marketplace::employee_connections::EmployeeConnectionService
        ),
        NoteFolderServiceServer(apps::note_folders::NoteFolderService),
        NoteServiceServer(apps::notes::NoteService),
        ProjectServiceServer(apps::projects::ProjectService),
        TaskServiceServer(apps::tasks::TaskService),
        MessageServiceServer(apps::messages::MessageService),
        CalendarEventServiceServer(apps::calendar_events::CalendarEventService),
        EmailServiceServer(apps::emails::EmailService),
        SheetServiceServer(apps::sheets::SheetService),
        SheetVersionServiceServer(apps::sheet_versions::SheetVersionService),
        WorkspaceItemServiceServer(apps::workspace_items::WorkspaceItemService),
        BankAccountServiceServer(finance::bank_accounts::BankAccountService),
        TransactionServiceServer(finance::transactions::TransactionService),
        BrokerageConnectionServiceServer(
            finance::brokerage_connections::BrokerageConnectionService
        ),
        PortfolioServiceServer(finance::portfolios::PortfolioService),
        HoldingServiceServer(finance::holdings::HoldingService),
        PositionServiceServer(finance::positions::PositionService),
        WalletConnectionServiceServer(finance::wallet_connections::WalletConnectionService),
        CatalogIntegrationServiceServer(
            integrations::catalog_integrations::CatalogIntegrationService
        ),
        InstallationServiceServer(integrations::installations::InstallationService),
        IntegrationServiceServer(integrations::integrations::IntegrationService),
        SubscriptionTierServiceServer(billing::subscription_tiers::SubscriptionTierService),
        SubscriptionServiceServer(billing::subscriptions::SubscriptionService),
        CreditPriceServiceServer(billing::credit_prices::CreditPriceService),
        LicenseServiceServer(billing::licenses::LicenseService),
        LicenseSectionServiceServer(billing::license_sections::LicenseSectionService),
        ResearchTemplateServiceServer(research::research_templates::ResearchTemplateService),
        AgentServiceServer(agents::agents::AgentService),
        ExecutionServiceServer(agents::executions::ExecutionService),
        DeadLetterServiceServer(agents::dead_letters::DeadLetterService),
        ConcurrencyLimitServiceServer(agents::limits::ConcurrencyLimitService),
        InputRequestServiceServer(agents::input_requests::InputRequestService),
        WorkflowDataServiceServer(agents::workflow_data::WorkflowDataService),
        FileFolderServiceServer(apps::file_folders::FileFolderService),
        FileServiceServer(apps::files::FileService),
    );
}
