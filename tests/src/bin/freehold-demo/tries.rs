//! What a reader can do next.

use crate::{Run, show::title};
use common_api::types::{Agent, Execution};

/// Addresses, the key, and five calls that work as they are printed.
pub(crate) fn print(run: &Run, agent: &Agent, execution: &Execution) {
    let at = run.web.trim_start_matches("http://");
    title("Addresses");
    println!("  web-service      {at}   (health {})", run.health.trim_start_matches("http://"));
    println!("  key              {}", run.key);
    println!("  organization     {}", execution.organization_id);

    title("Five calls to try (without grpcurl: ./dev grpc SERVICE/METHOD 'JSON')");
    println!("  grpcurl -plaintext {at} list");
    let call = |method: &str, body: String| {
        println!(
            "  grpcurl -plaintext -H 'authorization: Bearer {}' -d '{body}' {at} freehold.web.v1.{method}",
            run.key
        );
    };
    call("CoreActionService/ListCoreActions", "{\"page_size\": 2}".to_owned());
    let input = execution.input.clone().map(shared_db::json::from_struct).unwrap_or_default();
    call(
        "ExecutionService/StartExecution",
        format!(
            "{{\"agent_id\": \"{}\", \"input\": {input}, \"request_id\": \"try-{}\"}}",
            agent.id, agent.slug
        ),
    );
    call("ExecutionService/WatchExecution", format!("{{\"id\": \"{}\"}}", execution.id));
    call(
        "ExecutionService/ListActionExecutions",
        format!("{{\"execution_id\": \"{}\"}}", execution.id),
    );
}
