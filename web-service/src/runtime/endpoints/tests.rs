use super::{super::replicas::is_unsent, *};
use runtime_api::v1::{StopOrganizationRequest, purge_service_client::PurgeServiceClient};
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::net::TcpListener;
use tonic::{
    body::Body,
    transport::{Server, server::TcpIncoming},
};
use tower::{Service, service_fn};

const PATIENCE: Duration = Duration::from_secs(30);
const INTERVAL: Duration = Duration::from_millis(50);

/// A server that counts what it is called for, and breaks off what is no call and no greeting. It ends with this value.
struct Counting {
    address: SocketAddr,
    calls: Arc<AtomicUsize>,
    _task: AbortOnDropHandle<()>,
}

impl Counting {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, calls) = (listener.local_addr().unwrap(), Arc::new(AtomicUsize::new(0)));
        let counted = calls.clone();
        let service = service_fn(move |request: http::Request<Body>| {
            let answer = match request.uri().path() {
                "/call" => Ok(counted.fetch_add(1, Ordering::Relaxed)),
                "/grpc.health.v1.Health/Check" => Ok(0),
                _ => Err(io::Error::other("as asked")),
            };
            async { answer.map(|_| http::Response::new(Body::empty())) }
        });
        // With its connections: those of a server that can not be asked to stop would live on.
        let serving = Server::builder().serve_with_incoming_shutdown(
            service,
            TcpIncoming::from(listener),
            std::future::pending(),
        );
        let task = tokio::spawn(async move { serving.await.unwrap() });
        Self { address, calls, _task: AbortOnDropHandle::new(task) }
    }

    fn calls(&self) -> usize {
        self.calls.load(Ordering::Relaxed)
    }
}

/// A resolver of a name that has the addresses in the list.
fn resolver(addresses: &Arc<Mutex<Vec<SocketAddr>>>) -> Resolver {
    let addresses = addresses.clone();
    let look_up = move |_: String, _: u16| -> BoxFuture<'static, _> {
        let found = addresses.lock().unwrap().clone();
        Box::pin(async move { Ok(found) })
    };
    let url = Uri::from_static("http://runtime:50052");
    Resolver::with(vec![url], None, INTERVAL, Arc::new(look_up))
}

async fn call(replicas: &Replicas) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let request = http::Request::post("/call").body(Body::empty())?;
    replicas.clone().call(request).await.map(drop)
}

/// Calls until it is so. Every call must be answered.
async fn call_until(replicas: &Replicas, mut is: impl FnMut() -> bool) {
    let calls = async {
        while !is() {
            call(replicas).await.unwrap();
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, calls).await.expect("it comes true");
}

#[tokio::test]
async fn an_address_that_a_name_gains_is_called_and_one_that_it_loses_no_more() {
    let (first, second) = (Counting::start().await, Counting::start().await);
    let addresses = Arc::new(Mutex::new(vec![first.address]));
    let resolver = resolver(&addresses);
    let replicas = resolver.replicas();
    let stop = CancellationToken::new();
    let running = tokio::spawn(resolver.clone().run(stop.clone()));

    call_until(&replicas, || 20 < first.calls()).await;
    assert_eq!(second.calls(), 0, "nobody knows of it");
    addresses.lock().unwrap().push(second.address);
    call_until(&replicas, || 20 < second.calls()).await;

    addresses.lock().unwrap().remove(0);
    let until = || !resolver.table().keepers.keys().any(|it| it.1 == first.address);
    call_until(&replicas, until).await;
    let before = (first.calls(), second.calls());
    call_until(&replicas, || before.1 + 20 < second.calls()).await;
    assert_eq!(first.calls(), before.0, "it has left");

    // What is connected outlives the look-ups: calls that are finished during a stop need it.
    stop.cancel();
    running.await.unwrap().unwrap();
    call(&replicas).await.unwrap();
}

#[tokio::test]
async fn calls_wait_for_the_first_attempts_and_not_for_later_ones() {
    let server = Counting::start().await;
    let addresses = Arc::new(Mutex::new(vec![server.address]));
    let resolver = resolver(&addresses);
    let replicas = resolver.replicas();
    let early = tokio::spawn({
        let replicas = replicas.clone();
        async move { call(&replicas).await.map_err(|it| it.to_string()) }
    });
    tokio::task::yield_now().await;
    assert!(!early.is_finished(), "nothing has been looked up");
    let _running = AbortOnDropHandle::new(tokio::spawn(resolver.run(CancellationToken::new())));
    early.await.unwrap().unwrap();

    drop(server);
    let refused = async { while call(&replicas).await.is_ok() {} };
    tokio::time::timeout(PATIENCE, refused).await.expect("nobody is there any more");
}

#[tokio::test]
async fn a_peer_that_takes_connections_and_says_nothing_is_never_called() {
    let (server, mute) = (Counting::start().await, TcpListener::bind("127.0.0.1:0").await.unwrap());
    let addresses = vec![mute.local_addr().unwrap(), server.address];
    let resolver = resolver(&Arc::new(Mutex::new(addresses)));
    let replicas = resolver.replicas();
    let _running = AbortOnDropHandle::new(tokio::spawn(resolver.run(CancellationToken::new())));
    let _taken = mute.accept().await.unwrap();
    call_until(&replicas, || server.calls() == 50).await;
}

#[tokio::test]
async fn only_what_nobody_can_have_seen_is_unsent() {
    let ask = |replicas: &Replicas| {
        let mut client = PurgeServiceClient::new(replicas.clone());
        async move { client.stop_organization(StopOrganizationRequest::default()).await.unwrap_err() }
    };
    let nowhere = resolver(&Arc::default());
    nowhere.settle(HashSet::new());
    assert!(is_unsent(&ask(&nowhere.replicas()).await), "nobody is there");

    let server = Counting::start().await;
    let resolver = resolver(&Arc::new(Mutex::new(vec![server.address])));
    resolver.settle(resolver.look_up().await);
    call(&resolver.replicas()).await.unwrap();
    assert!(!is_unsent(&ask(&resolver.replicas()).await), "it was broken off there");
}
