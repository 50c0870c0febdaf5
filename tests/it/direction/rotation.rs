//! Certificates and authorities change while the real binaries work, as cert-manager and Kubernetes change them.

use freehold_tests::{
    certificates::{Authority, CALLER_NAME, HOST, Issued, Mount, RUNTIME_NAME, WEB_NAME},
    database::TestDatabase,
    doors::{self, Doors},
    org::Org,
    process::{Layout, Process, Processes},
    settings::Settings,
    steady::Steady,
};
use rustls::{
    ClientConfig, RootCertStore,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use serde_json::json;
use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::{Status, transport::Channel};

const PATIENCE: Duration = Duration::from_mins(1);

/// The first second of 2031 and of 2032.
const NEW_EXPIRES: (i32, i64) = (2031, 1_924_992_000);
const LAST_EXPIRES: (i32, i64) = (2032, 1_956_528_000);

/// One web-service and some runtime-services, each with certificates in a folder of its own.
struct Mounted {
    web: Mount,
    runtime: Mount,
    processes: Processes,
}

impl Mounted {
    async fn start(authority: &Authority, runtimes: usize) -> Self {
        let web = Mount::new(&authority.issue(WEB_NAME), authority.pem());
        let runtime = Mount::new(&authority.issue(RUNTIME_NAME), authority.pem());
        let both = [("TLS_RELOAD_INTERVAL", "50ms"), ("LOG_LEVEL", "info")];
        let mut of_web = [web.server(), web.client()].concat();
        of_web.push(("RUNTIME_TLS_NAME", HOST.to_owned()));
        of_web.push(("RUNTIME_NAME", RUNTIME_NAME.to_owned()));
        let mut of_runtime = runtime.server();
        // Connections to the runtime are made anew all the time. Those of callers stay as they are.
        of_runtime.push(("CONNECTION_AGE_MAX", "1s".to_owned()));
        let settings = Settings {
            both: both.map(|(name, value)| (name, value.to_owned())).into(),
            web: of_web,
            runtime: of_runtime,
            without: vec!["RUNTIME_KEY"],
        };
        let layout = Layout { webs: 1, runtimes, ..Layout::default() };
        let database = TestDatabase::create().await;
        let processes = Processes::start_on(database, &layout, &settings).await;
        Self { web, runtime, processes }
    }

    fn web(&self) -> &Process {
        &self.processes.webs[0]
    }

    fn runtime(&self) -> &Process {
        &self.processes.runtimes[0]
    }

    /// Gives new certificates to both sides, and waits until all processes use them.
    async fn put(&self, issuer: &Authority, year: i32, authorities: &str) {
        let runtimes = &self.processes.runtimes;
        let sides = [(self.web(), "server"), (self.web(), "client")].into_iter();
        let sides: Vec<_> = sides.chain(runtimes.iter().map(|it| (it, "server"))).collect();
        let mut before = Vec::new();
        for (process, side) in &sides {
            before.push(reloads(process, side, "taken").await);
        }
        self.web.put(&issuer.issue_until(WEB_NAME, year), authorities);
        self.runtime.put(&issuer.issue_until(RUNTIME_NAME, year), authorities);
        for ((process, side), before) in sides.iter().zip(before) {
            until_reloads(process, side, "taken", before + 1).await;
        }
    }
}

/// The number on a line of the page of metrics.
async fn measure(process: &Process, name: &str, labels: &[String]) -> Option<i64> {
    let page = doors::metrics(process.metrics).await;
    let is = |it: &&str| it.starts_with(name) && labels.iter().all(|label| it.contains(label));
    let value = page.lines().find(is)?.rsplit(' ').next()?;
    Some(value.parse().unwrap_or_else(|_| panic!("{value} is a whole number")))
}

async fn reloads(process: &Process, side: &str, outcome: &str) -> i64 {
    let labels = [format!("side=\"{side}\""), format!("outcome=\"{outcome}\"")];
    measure(process, "freehold_tls_certificate_reloads_total", &labels).await.unwrap_or(0)
}

async fn until_reloads(process: &Process, side: &str, outcome: &str, wanted: i64) {
    let counted = async {
        while reloads(process, side, outcome).await < wanted {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let counted = tokio::time::timeout(PATIENCE, counted).await;
    assert!(counted.is_ok(), "{side}: not {outcome}\n{}", process.log());
}

async fn expiry(process: &Process, side: &str) -> i64 {
    let labels = [format!("side=\"{side}\"")];
    let name = "freehold_tls_certificate_expiry_seconds";
    measure(process, name, &labels).await.expect("it is measured")
}

/// The certificate that somebody is shown who connects now and believes these authorities.
async fn shown(address: SocketAddr, authorities: &str) -> std::io::Result<CertificateDer<'static>> {
    let mut roots = RootCertStore::empty();
    for authority in CertificateDer::pem_slice_iter(authorities.as_bytes()) {
        roots.add(authority.unwrap()).unwrap();
    }
    let mut config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let tcp = TcpStream::connect(address).await?;
    let name = ServerName::try_from(HOST).unwrap();
    let tls = TlsConnector::from(Arc::new(config)).connect(name, tcp).await?;
    Ok(tls.get_ref().1.peer_certificates().unwrap()[0].clone().into_owned())
}

fn leaf(issued: &Issued) -> CertificateDer<'static> {
    CertificateDer::from_pem_slice(issued.certificate.as_bytes()).unwrap()
}

/// Updates agents, which web sends to the runtime and never sends twice: each caller has an agent of its own.
async fn steady(org: &Org, channel: Arc<Mutex<Channel>>) -> Steady {
    const CALLERS: usize = 4;
    let mut agents = Vec::new();
    for _ in 0..CALLERS {
        agents.push(org.agent(&["http://127.0.0.1:1/"]).await);
    }
    let developer = org.developer();
    Steady::start(CALLERS, Duration::from_millis(50), move |caller, turn| {
        let (agent, mut by) = (agents[caller].clone(), developer.clone());
        by.channel = channel.lock().unwrap().clone();
        async move {
            let agent = json!({ "id": agent, "name": format!("Turn {turn}") });
            let update = json!({ "agent": agent, "update_mask": ["name"] });
            by.call("AgentService/UpdateAgent", update).await.map(drop)
        }
    })
}

/// Until the connections of now have been closed by their age.
async fn connections_end() {
    tokio::time::sleep(Duration::from_millis(1500)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_certificates_and_a_new_authority_under_load_lose_no_call() {
    shared_db::service::tls::install_provider();
    let (old, new) = (Authority::new(), Authority::new());
    let mounted = Mounted::start(&old, 2).await;
    let (web, runtime) = (mounted.web().grpc, mounted.runtime().grpc);
    let both = [old.pem(), new.pem()].concat();
    let channel = Arc::new(Mutex::new(old.channel_trusting(&both, web, CALLER_NAME)));
    let first = channel.lock().unwrap().clone();
    let org = Doors { web: first, runtime: None }.organization().await;
    let load = steady(&org, channel.clone()).await;
    load.until_more(40).await;

    // Everybody believes the new one before anybody shows it, and the old one until nobody does.
    mounted.put(&old, 2030, &both).await;
    connections_end().await;
    load.until_more(40).await;
    mounted.put(&new, NEW_EXPIRES.0, &both).await;
    *channel.lock().unwrap() = new.channel_trusting(&both, web, CALLER_NAME);
    connections_end().await;
    load.until_more(40).await;
    mounted.put(&new, LAST_EXPIRES.0, new.pem()).await;
    connections_end().await;
    load.until_more(40).await;
    assert!(load.refused().is_empty(), "{:?}", load.refused());

    for (address, process, side) in [
        (web, mounted.web(), "server"),
        (web, mounted.web(), "client"),
        (runtime, mounted.runtime(), "server"),
    ] {
        shown(address, new.pem()).await.expect("it shows a certificate of the new authority");
        shown(address, old.pem()).await.expect_err("it shows none of the old one");
        assert_eq!(expiry(process, side).await, LAST_EXPIRES.1, "{side}");
    }
    let former = Doors { web: old.channel_trusting(&both, web, CALLER_NAME), runtime: None };
    let refused = former.platform().call("OrganizationService/ListOrganizations", json!({})).await;
    refused.expect_err("the old authority opens nothing");

    // Nothing would have been noticed if calls went through whatever the certificates are.
    mounted.runtime.put(&old.issue(RUNTIME_NAME), new.pem());
    load.until(|it| !it.refused().is_empty()).await;
    let (answered, _) = load.end().await;
    assert!(160 < answered, "{answered}");
}

/// A command that needs the runtime.
async fn command(org: &Org) -> Result<(), Status> {
    let agent = org.action("http://127.0.0.1:1/").await;
    let calls = json!([{ "step_key": "one", "core_action_id": agent }]);
    let agent = json!({ "slug": "of-today", "name": "Of today", "type": "AGENT_TYPE_API",
        "endpoint": { "calls": calls } });
    org.developer().call("AgentService/CreateAgent", json!({ "agent": agent })).await.map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_half_written_or_expired_is_not_taken_and_the_former_goes_on() {
    shared_db::service::tls::install_provider();
    let authority = Authority::new();
    let mounted = Mounted::start(&authority, 1).await;
    let runtime = mounted.runtime();
    let before = shown(runtime.grpc, authority.pem()).await.unwrap();

    let next = authority.issue_until(RUNTIME_NAME, NEW_EXPIRES.0);
    let stranger = authority.issue(RUNTIME_NAME);
    let cut = |text: &str| text[..text.len() / 2].to_owned();
    let broken = [
        ("the certificate is there and its key not yet", &stranger.key, next.certificate.clone()),
        ("half of the certificate is there", &next.key, cut(&next.certificate)),
        ("the key is empty", &String::new(), next.certificate.clone()),
    ];
    let expired = authority.issue_until(RUNTIME_NAME, 2001);
    let broken = broken.map(|(what, key, certificate)| {
        (what, Issued { certificate, key: key.clone(), ..next.clone() })
    });
    let broken = broken.into_iter().chain([("it has expired", expired)]);
    for (refused, (what, issued)) in (1..).zip(broken) {
        mounted.runtime.put(&issued, authority.pem());
        until_reloads(runtime, "server", "refused", refused).await;
        assert_eq!(shown(runtime.grpc, authority.pem()).await.unwrap(), before, "{what}");
    }
    mounted.runtime.put(&next, "no authority at all");
    until_reloads(runtime, "server", "refused", 5).await;
    let web = authority.channel(mounted.web().grpc, CALLER_NAME);
    let org = Doors { web, runtime: None }.organization().await;
    command(&org).await.unwrap();
    assert_eq!(reloads(runtime, "server", "taken").await, 0);

    mounted.runtime.put(&next, authority.pem());
    until_reloads(runtime, "server", "taken", 1).await;
    assert_eq!(shown(runtime.grpc, authority.pem()).await.unwrap(), leaf(&next));
    assert_eq!(expiry(runtime, "server").await, NEW_EXPIRES.1);

    let log = runtime.log();
    assert_eq!(log.matches("the new certificates are not taken").count(), 5, "{log}");
    for line in next.key.lines().chain(stranger.key.lines()).filter(|it| !it.starts_with('-')) {
        assert!(!log.contains(line), "the log has a key");
    }
}
