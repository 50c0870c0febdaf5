//! A service on the real boot with the real contract, whose handlers do what the header `x-do` says.

use super::streams::OddFiles;
use freehold_tests::database::TestDatabase;
use futures_util::{Stream, StreamExt, stream};
use shared_db::{
    error::{Error, Reason},
    scope::Service,
    service::{
        Authenticate, Boot, Call, Caller, Listeners, ServiceConfig, accept, auth, caller::Role,
        deadline, trace_context,
    },
    tuned,
};
use std::{net::SocketAddr, pin::Pin, sync::Arc, time::Duration};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic::{
    Request, Response, Status,
    service::RoutesBuilder,
    transport::{Channel, Endpoint},
};
use web_api::v1::{
    self as pb,
    execution_service_client::ExecutionServiceClient,
    execution_service_server::{ExecutionService, ExecutionServiceServer},
    file_service_server::FileServiceServer,
};

#[derive(clap::Parser)]
struct Arguments {
    #[command(flatten)]
    service: ServiceConfig,
}

pub(super) struct Stand {
    pub(super) grpc: SocketAddr,
    pub(super) health: SocketAddr,
    pub(super) metrics: SocketAddr,
    pub(super) stop: CancellationToken,
    pub(super) running: JoinHandle<anyhow::Result<()>>,
}

impl Stand {
    /// Starts with these settings beside those that every test needs, and waits until it is serving.
    pub(super) async fn start(database: &TestDatabase, settings: &[&str]) -> Self {
        let stand = Self::start_unready(&database.web_url(), settings).await;
        let check = async {
            while !is_serving(stand.health, "").await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), check).await.expect("it becomes ready");
        stand
    }

    pub(super) async fn start_unready(database_url: &str, settings: &[&str]) -> Self {
        let fixed = [
            "stand",
            "--database-url",
            database_url,
            "--database-connections-max",
            "2",
            "--log-level",
            "off",
        ];
        let arguments: Arguments = clap::Parser::parse_from(fixed.iter().chain(settings));
        let listeners = Listeners::any().await.unwrap();
        let [grpc, health, metrics] = [&listeners.grpc, &listeners.health, &listeners.metrics]
            .map(|it| it.local_addr().unwrap());
        let stop = CancellationToken::new();
        let running = tokio::spawn(serve(arguments.service, listeners, stop.clone()));
        Self { grpc, health, metrics, stop, running }
    }

    pub(super) async fn client(&self) -> ExecutionServiceClient<Channel> {
        ExecutionServiceClient::new(self.channel().await)
    }

    pub(super) async fn channel(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.grpc)).unwrap().connect().await.unwrap()
    }
}

impl Drop for Stand {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub(super) async fn is_serving(address: SocketAddr, service: &str) -> bool {
    use tonic_health::pb::{HealthCheckRequest, health_client::HealthClient};
    let Ok(channel) = Endpoint::from_shared(format!("http://{address}")).unwrap().connect().await
    else {
        return false;
    };
    let request = HealthCheckRequest { service: service.to_owned() };
    let response = HealthClient::new(channel).check(request).await.unwrap().into_inner();
    response.status == tonic_health::ServingStatus::Serving as i32
}

/// A request as a viewer, which makes the handler do something.
pub(super) fn get(what: &str) -> Request<pb::GetExecutionRequest> {
    let mut request = Request::new(pb::GetExecutionRequest { id: ID.to_owned() });
    request.metadata_mut().insert("x-do", what.parse().unwrap());
    request.metadata_mut().insert("x-role", "viewer".parse().unwrap());
    request
}

pub(super) fn watch(what: &str) -> Request<pb::WatchExecutionRequest> {
    let message = pb::WatchExecutionRequest { id: ID.to_owned(), from_seq: 1 };
    get(what).map(|_| message)
}

const LATER: Duration = Duration::from_millis(50);

pub(super) const ID: &str = "0190a1b2-c3d4-7e8f-9a0b-1c2d3e4f5a6b";

async fn serve(
    config: ServiceConfig,
    listeners: Listeners,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let boot = Boot::new(Service::Web, config, web_api::DESCRIPTOR)?;
    let mut routes = RoutesBuilder::default();
    routes.add_service(tuned!(boot.limits, ExecutionServiceServer::new(Odd)));
    let takes = OddFiles { limits: boot.limits };
    routes.add_service(tuned!(boot.limits, FileServiceServer::new(takes)));
    boot.run(routes.routes(), ByHeader, listeners, stop).await
}

/// Believes the header `x-role`, and a certificate that names web-service.
#[derive(Clone)]
struct ByHeader;

impl Authenticate for ByHeader {
    async fn authenticate(&self, call: &Call) -> shared_db::error::Result<Caller> {
        let role = match call.header("x-role") {
            Some("any") => Role::AnyCaller,
            Some("viewer") => Role::Viewer,
            Some("developer") => Role::Developer,
            Some("platform") => Role::Platform,
            Some("web") => Role::WebService,
            Some("mtls") if call.peer == ["spiffe://freehold/web-service"] => Role::Viewer,
            Some("mtls") => {
                let problem = format!("{:?} may not call", call.peer);
                return Err(Error::Denied { reason: Reason::PeerNotAllowed, problem });
            }
            _ => return Err(auth::credentials_missing()),
        };
        let org = call.header("x-no-org").is_none().then(shared_db::ids::OrganizationId::generate);
        Ok(Caller { org, user: None, api_key: None, role, permissions: Arc::new([]) })
    }
}

struct Odd;

type Execution = common_api::types::Execution;
type Answers = Pin<Box<dyn Stream<Item = Result<pb::WatchExecutionResponse, Status>> + Send>>;

#[tonic::async_trait]
impl ExecutionService for Odd {
    async fn get_execution(
        &self,
        request: Request<pb::GetExecutionRequest>,
    ) -> Result<Response<Execution>, Status> {
        let what = request.metadata().get("x-do").unwrap().to_str().unwrap().to_owned();
        let (_, request) = accept(request)?;
        let text = match what.as_str() {
            "panic" => panic!("as asked"),
            "sleep" => {
                tokio::time::sleep(Duration::from_mins(1)).await;
                String::new()
            }
            "nap" => {
                tokio::time::sleep(Duration::from_millis(500)).await;
                String::new()
            }
            "bare" => return Err(Status::internal("the handler's own words")),
            "remaining" => format!("{}", deadline::remaining().unwrap().as_millis()),
            "trace" => trace_context::current_traceparent().unwrap_or_default(),
            "big" => "x".repeat(5 * 1024 * 1024),
            _ => String::new(),
        };
        Ok(Response::new(Execution { id: request.id, initial_prompt: text, ..Default::default() }))
    }

    type WatchExecutionStream = Answers;

    async fn watch_execution(
        &self,
        request: Request<pb::WatchExecutionRequest>,
    ) -> Result<Response<Answers>, Status> {
        let what = request.metadata().get("x-do").unwrap().to_str().unwrap().to_owned();
        accept(request)?;
        let first = tokio_stream::once(Ok(pb::WatchExecutionResponse::default()));
        let rest: Answers = match what.as_str() {
            // Later, since what is ready in the same moment shares its fate.
            "panic" => {
                Box::pin(stream::once(tokio::time::sleep(LATER)).map(|()| panic!("as asked")))
            }
            "bare" => Box::pin(tokio_stream::once(Err(Status::internal("the stream's own words")))),
            "wait" => Box::pin(tokio_stream::pending()),
            _ => Box::pin(tokio_stream::empty()),
        };
        Ok(Response::new(Box::pin(first.chain(rest))))
    }

    async fn start_execution(
        &self,
        request: Request<pb::StartExecutionRequest>,
    ) -> Result<Response<Execution>, Status> {
        accept(request)?;
        Ok(Response::new(Execution::default()))
    }

    async fn list_executions(
        &self,
        _: Request<pb::ListExecutionsRequest>,
    ) -> Result<Response<pb::ListExecutionsResponse>, Status> {
        unreachable!("no test calls it")
    }

    async fn cancel_execution(
        &self,
        _: Request<pb::CancelExecutionRequest>,
    ) -> Result<Response<Execution>, Status> {
        unreachable!("no test calls it")
    }

    async fn signal_execution(
        &self,
        _: Request<pb::SignalExecutionRequest>,
    ) -> Result<Response<Execution>, Status> {
        unreachable!("no test calls it")
    }

    async fn decide_step(
        &self,
        _: Request<pb::DecideStepRequest>,
    ) -> Result<Response<common_api::types::ExecutionStep>, Status> {
        unreachable!("no test calls it")
    }

    async fn batch_start_executions(
        &self,
        _: Request<pb::BatchStartExecutionsRequest>,
    ) -> Result<Response<pb::BatchStartExecutionsResponse>, Status> {
        unreachable!("no test calls it")
    }

    async fn fork_execution(
        &self,
        _: Request<pb::ForkExecutionRequest>,
    ) -> Result<Response<Execution>, Status> {
        unreachable!("no test calls it")
    }

    async fn batch_cancel_executions(
        &self,
        _: Request<pb::BatchCancelExecutionsRequest>,
    ) -> Result<Response<common_api::types::CancelBatch>, Status> {
        unreachable!("no test calls it")
    }

    async fn pause_execution(
        &self,
        _: Request<pb::PauseExecutionRequest>,
    ) -> Result<Response<Execution>, Status> {
        unreachable!("no test calls it")
    }

    async fn resume_execution(
        &self,
        _: Request<pb::ResumeExecutionRequest>,
    ) -> Result<Response<Execution>, Status> {
        unreachable!("no test calls it")
    }

    async fn explain_execution(
        &self,
        _: Request<pb::ExplainExecutionRequest>,
    ) -> Result<Response<common_api::types::ExecutionExplanation>, Status> {
        unreachable!("no test calls it")
    }

    async fn list_execution_steps(
        &self,
        _: Request<pb::ListExecutionStepsRequest>,
    ) -> Result<Response<pb::ListExecutionStepsResponse>, Status> {
        unreachable!("no test calls it")
    }

    async fn list_action_executions(
        &self,
        _: Request<pb::ListActionExecutionsRequest>,
    ) -> Result<Response<pb::ListActionExecutionsResponse>, Status> {
        unreachable!("no test calls it")
    }

    async fn wait_execution(
        &self,
        _: Request<pb::WaitExecutionRequest>,
    ) -> Result<Response<Execution>, Status> {
        unreachable!("no test calls it")
    }

    async fn count_executions(
        &self,
        _: Request<pb::CountExecutionsRequest>,
    ) -> Result<Response<pb::CountExecutionsResponse>, Status> {
        unreachable!("no test calls it")
    }
}
