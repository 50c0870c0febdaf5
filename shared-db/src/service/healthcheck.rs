//! `web-service healthcheck`, `runtime-service healthcheck`: one question to the health listener of the same container, for those who
//! start containers and have nothing else in them to ask with.
//!
//! It is told apart before the settings are read: what the service needs, the question does not.

use super::{config::positive, listeners::health_address};
use crate::{error::chain, scope::Service};
use clap::Parser;
use std::{
    env,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    process::ExitCode,
    time::Duration,
};
use tonic::{Code, transport::Endpoint};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};

/// For the help of the services.
pub const HELP: &str = "`healthcheck` as the first argument asks a service that runs whether it is SERVING: see `healthcheck --help`";

/// Asks the health listener of this service, on this machine: exit status 0 when it says SERVING, else 1 and a line that says what it was
#[derive(Debug, Parser)]
struct Question {
    /// Where the service listens for this; 0.0.0.0 and [::] mean the loopback address [default: as the service's]
    #[arg(long, env = "FREEHOLD_HEALTH_LISTEN")]
    health_listen: Option<SocketAddr>,
    /// What is asked about: `liveness` (whether the process answers), the full name of a gRPC service or, by default, whether calls
    /// may be sent here
    #[arg(long, default_value = "")]
    service: String,
    /// How long it may take
    #[arg(long, default_value = "1s", value_parser = positive)]
    timeout: Duration,
}

/// Asks, if the process was started for that.
#[expect(clippy::print_stderr, reason = "a command says why it failed")]
pub fn run_if_asked(service: Service) -> Option<ExitCode> {
    let mut arguments = env::args_os().skip(1);
    if arguments.next()? != "healthcheck" {
        return None;
    }
    let name = format!("{} healthcheck", service.name());
    let question = match Question::try_parse_from([name.into()].into_iter().chain(arguments)) {
        Ok(question) => question,
        Err(error) => {
            // What was asked for, such as help, goes to where it is read.
            drop(error.print());
            return Some(if error.use_stderr() { ExitCode::FAILURE } else { ExitCode::SUCCESS });
        }
    };
    Some(match ask(&question, service) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    })
}

fn ask(question: &Question, service: Service) -> Result<(), String> {
    let address = reachable(health_address(question.health_listen, service));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let asked = runtime.map_err(|error| error.to_string())?.block_on(async {
        let answer = tokio::time::timeout(question.timeout, status(address, &question.service));
        answer.await.unwrap_or_else(|_| Err(format!("no answer within {:?}", question.timeout)))
    });
    asked.map_err(|problem| format!("{address}: {problem}"))
}

async fn status(address: SocketAddr, service: &str) -> Result<(), String> {
    let endpoint = Endpoint::from_shared(format!("http://{address}"));
    let channel = endpoint.map_err(|error| chain(&error).to_string())?.connect().await;
    let mut client = HealthClient::new(channel.map_err(|error| chain(&error).to_string())?);
    let request = HealthCheckRequest { service: service.to_owned() };
    match client.check(request).await {
        Ok(answer) if answer.get_ref().status() == ServingStatus::Serving => Ok(()),
        Ok(answer) => Err(answer.get_ref().status().as_str_name().to_owned()),
        Err(status) if status.code() == Code::NotFound => {
            Err(format!("there is no service {service}"))
        }
        Err(status) => Err(chain(&status).to_string()),
    }
}

/// Who listens everywhere is asked at home.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    if address.ip().is_unspecified() {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}
