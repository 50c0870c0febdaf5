//! The database goes away, by whatever way: nobody ends, nothing is lost, and soon all is as it was.

use super::short::{Short, run};
use freehold_tests::{
    chaos::{Bounds, OwnServer, checks::flow, fault::Fault, schedule::Act},
    database::{CLUSTER_VARIABLE, server::Server},
};
use std::{env, time::Duration};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_outlive_their_database_and_go_on_as_before() {
    if let Err(error) = Server::behind(&env::var(CLUSTER_VARIABLE).unwrap()).await {
        eprintln!("left out, for want of a server that can be stopped: {error:#}");
        return;
    }
    // Sooner than is promised, so that the test is short.
    let [back_within, measured_for] = [6, 2].map(Duration::from_secs);
    // The flow after one fault is measured, and that before the next, each by what is done within `in_time`: on a busy machine some
    // seconds, of which there is room for seven.
    let calm = 15_000;
    let acts = vec![
        Act::new(5000, Fault::Restart, 800),
        Act::new(calm, Fault::Crash, 400),
        Act::new(calm, Fault::Terminate, 1500),
        Act::new(calm, Fault::Exhaust, 1500),
    ];
    let bounds = Bounds { back_within, measured_for, ..Bounds::default() };
    let own_server = Some(OwnServer::Made);
    let outcome = run(Short { acts, own_server, bounds, ..Short::default() }).await;
    for struck in &outcome.history.struck {
        let flow = flow(&outcome.history, struck);
        assert!(flow.is_ok(), "{}: {}", struck.fault, flow.unwrap_err());
    }
}
