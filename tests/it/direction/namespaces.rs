//! Fifth proof: both binaries on hosts of their own, with the networks of deploy/compose.yaml between them.

use freehold_tests::{
    database::TestDatabase,
    doors::Doors,
    netns::{self, Compose, Networks},
    process::Process,
    proxy::Proxy,
    settings::{self, Settings},
};
use serde_json::json;
use std::{collections::BTreeSet, net::SocketAddr, thread, time::Duration};

/// Longer than a connection takes that comes about, on a busy machine as well.
const PATIENCE: Duration = Duration::from_secs(1);

const WEB_LISTENS: [&str; 4] = ["LISTEN", "HEALTH_LISTEN", "METRICS_LISTEN", "FILES_LISTEN"];
const RUNTIME_LISTENS: [&str; 3] = ["LISTEN", "HEALTH_LISTEN", "METRICS_LISTEN"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_runtime_finds_no_way_to_web_and_web_finds_the_runtime() {
    if let Some(why) = netns::missing() {
        eprintln!("skipped: there can be no network namespaces here: {why}");
        return;
    }
    let compose = Compose::read().unwrap();
    let hosts =
        Networks::of(&compose, &["web", "runtime", "postgres", "maintain"], "edge").unwrap();
    let database = TestDatabase::create().await;
    let _wire = hosts.database("postgres", &database).unwrap();

    let listen = |service: &str, names: &[&'static str]| {
        let address = |name| (name, compose.listens(service, name).to_string());
        names.iter().copied().map(address).collect::<Vec<_>>()
    };
    let url = |url: String, network: &str| {
        ("DATABASE_URL", Proxy::url_at(&url, (hosts.address("postgres", network), 5432).into()))
    };
    let settings = Settings::default();
    let mut more = listen("runtime", &RUNTIME_LISTENS);
    more.push(url(database.runtime_url(), "database-runtime"));
    let mut runtime = Process::spawn_on(
        hosts.host("runtime"),
        "runtime-service",
        settings::runtime(&settings, &more),
    )
    .await;
    let mut more = listen("web", &WEB_LISTENS);
    let port = compose.listens("runtime", "LISTEN").port();
    let runtime_url = format!("http://{}:{port}", hosts.address("runtime", "commands"));
    more.push(("RUNTIME_URL", runtime_url));
    more.push(("FILES_DIR", database.files_dir().display().to_string()));
    more.push(url(database.web_url(), "database-web"));
    let mut web =
        Process::spawn_on(hosts.host("web"), "web-service", settings::web(&settings, &more)).await;
    for process in [&mut runtime, &mut web] {
        process.until_serving().await;
    }

    works(&compose, &hosts).await;
    closed(&compose, &hosts);
    // With nothing between them but the rules they would meet: it is these that keep them apart.
    hosts.without_rules().unwrap();
    let open = compose.listens("web", "LISTEN");
    hosts.host("runtime").connect(open, PATIENCE).expect("nothing keeps it from web any more");
}

/// What is to be reached is reached: callers call web, web commands the runtime, and that does its work.
async fn works(compose: &Compose, hosts: &Networks) {
    let web = hosts.host("caller").channel(compose.listens("web", "LISTEN"));
    let org = Doors { web, runtime: None }.organization().await;
    let calls = json!([{ "step_key": "echo", "value": {} }]);
    let agent = org.agent_with(json!({ "endpoint": { "calls": calls } })).await;
    let execution = org.start(&agent, json!({})).await;
    assert_eq!(org.finish(&execution).await["state"], "EXECUTION_STATE_SUCCEEDED");

    let address = SocketAddr::new(hosts.world_address(), 80);
    let _site = hosts.world.listen(address).unwrap();
    hosts.host("runtime").connect(address, PATIENCE).expect("actions call what is out there");
    assert!(
        hosts.host("postgres").connect(address, PATIENCE).is_err(),
        "the database calls nobody"
    );
}

/// What is not to be reached is not.
fn closed(compose: &Compose, hosts: &Networks) {
    let edge = hosts.address("web", "edge");
    let listened: Vec<_> = WEB_LISTENS.map(|it| compose.listens("web", it)).into();
    let found: BTreeSet<_> = hosts.host("web").listeners().into_iter().collect();
    assert_eq!(found, listened.iter().copied().collect(), "web listens where the file says");
    assert!(listened.iter().all(|it| it.ip() == edge), "on the network that the runtime is not on");

    let mut ways = Vec::new();
    for address in &listened {
        hosts.host("caller").connect(*address, PATIENCE).expect("callers come to web");
        let to = |ip| ("runtime", SocketAddr::new(ip, address.port()));
        ways.extend(hosts.addresses("web").into_iter().map(to));
    }
    let database = |network: &str| SocketAddr::new(hosts.address("postgres", network), 5432);
    for (service, own) in [
        ("web", "database-web"),
        ("runtime", "database-runtime"),
        ("maintain", "database-maintenance"),
    ] {
        hosts
            .host(service)
            .connect(database(own), PATIENCE)
            .expect("each has its way to the database");
        let others = hosts.addresses("postgres").into_iter().filter(|it| *it != database(own).ip());
        ways.extend(others.map(|ip| (service, SocketAddr::new(ip, 5432))));
    }
    for port in RUNTIME_LISTENS.map(|it| compose.listens("runtime", it).port()) {
        let to = |ip| ("caller", SocketAddr::new(ip, port));
        ways.extend(hosts.addresses("runtime").into_iter().map(to));
    }
    let reached = |(from, to): &(&str, SocketAddr)| hosts.host(from).connect(*to, PATIENCE).is_ok();
    // At once, since each is waited for.
    let open: Vec<_> = thread::scope(|scope| {
        let tries: Vec<_> =
            ways.iter().map(|way| (way, scope.spawn(move || reached(way)))).collect();
        let open = tries.into_iter().filter_map(|(way, it)| it.join().unwrap().then_some(way));
        open.collect()
    });
    assert_eq!(open, Vec::<&(&str, SocketAddr)>::new(), "from whom to where");
}
