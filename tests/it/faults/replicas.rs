//! Replicas of runtime-service come and go under a steady load of commands, and callers of web notice nothing.

use freehold_tests::{
    client::Caller,
    database::TestDatabase,
    doors::{self, channel},
    process::{Layout, Process, Processes},
    remote::Remote,
    settings::Settings,
    steady::Steady,
};
use serde_json::json;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

const CALLERS: usize = 6;

/// By when the others have the traffic of one that was killed.
const SHIFTED_WITHIN: Duration = Duration::from_secs(2);

/// A place that answers no attempt to connect: its queue is full and nobody takes anything from it.
struct Hole {
    listener: TcpListener,
    _waiting: Vec<TcpStream>,
}

impl Hole {
    async fn dig() -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(1).unwrap();
        let (address, mut waiting) = (listener.local_addr().unwrap(), Vec::new());
        let patience = Duration::from_millis(500);
        while let Ok(connected) = tokio::time::timeout(patience, TcpStream::connect(address)).await
        {
            waiting.push(connected.unwrap());
        }
        Self { listener, _waiting: waiting }
    }

    fn url(&self) -> String {
        format!("http://{}", self.listener.local_addr().unwrap())
    }
}

/// Starts of executions that a replica has answered.
async fn started(process: &Process) -> u64 {
    let page = doors::metrics(process.metrics).await;
    let is = |it: &&str| {
        it.starts_with("rpc_server_call_duration_seconds_count")
            && it.contains("\"freehold.runtime.v1.ExecutionService/StartExecution\"")
            && it.contains("\"OK\"")
    };
    let counts = page.lines().filter(is).filter_map(|it| it.rsplit(' ').next());
    counts.map(|it| it.parse::<u64>().unwrap()).sum()
}

/// Waits until each of them has started more than it had.
async fn until_each_starts(all: &[&Process]) {
    let mut before = Vec::new();
    for process in all {
        before.push(started(process).await);
    }
    for (process, before) in all.iter().zip(before) {
        while started(process).await <= before {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// Attempts to command a runtime that came to nothing, as the web-services tell them.
fn failed_attempts(processes: &Processes) -> usize {
    let failed = |it: &Process| it.log().matches("runtime-service does not answer").count();
    processes.webs.iter().map(failed).sum()
}

async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    let done = tokio::time::timeout(Duration::from_mins(1), work).await;
    done.unwrap_or_else(|_| panic!("{what}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_three_runtimes_is_killed_under_load_and_no_call_fails() {
    let hole = Hole::dig().await;
    let layout = Layout { webs: 2, runtimes: 3, decoys: vec![hole.url()], ..Layout::default() };
    let database = TestDatabase::create().await;
    let mut all = Processes::start_on(database, &layout, &Settings::default()).await;
    let remote = Remote::start().await;
    let org = all.organization().await;
    let agent = org.agent(&[&remote.url("/echo")]).await;
    let callers: Vec<Caller> = all
        .webs
        .iter()
        .map(|web| Caller { channel: channel(web.grpc), ..org.developer() })
        .collect();
    let load = Steady::start(CALLERS, Duration::from_millis(200), move |caller, turn| {
        let by = callers[caller % callers.len()].clone();
        let request_id = format!("{caller}-{turn}");
        let request = json!({ "agent_id": agent, "request_id": request_id, "input": {} });
        async move { by.call("ExecutionService/StartExecution", request).await.map(drop) }
    });
    let each: Vec<_> = all.runtimes.iter().collect();
    soon("all three are commanded", until_each_starts(&each)).await;
    assert_eq!(failed_attempts(&all), 0, "nobody waits for the place that does not answer");

    all.runtimes[1].kill9();
    let killed = Instant::now();
    let others = [&all.runtimes[0], &all.runtimes[2]];
    soon("the others are commanded", until_each_starts(&others)).await;
    assert!(killed.elapsed() < SHIFTED_WITHIN, "{:?}", killed.elapsed());
    tokio::time::sleep(SHIFTED_WITHIN.saturating_sub(killed.elapsed())).await;
    // What was under way there was lost with it. Later calls do not try it.
    let lost = failed_attempts(&all);
    assert!(lost <= CALLERS, "{lost} attempts failed, of which {CALLERS} can have been under way");
    load.until_more(60).await;
    assert_eq!(failed_attempts(&all), lost, "calls still go to the dead");

    all.runtimes[1].restart();
    soon("it is back", all.runtimes[1].until_serving()).await;
    soon("it is commanded again", until_each_starts(&[&all.runtimes[1]])).await;
    assert!(load.refused().is_empty(), "{:?}", load.refused());
    let answered = load.answered();

    // Nothing would have been noticed if nobody had to be there.
    all.runtimes.iter_mut().for_each(Process::kill9);
    load.until(|it| !it.refused().is_empty()).await;
    load.end().await;
    assert!(lost < failed_attempts(&all), "attempts that come to nothing are told");
    let sql = "select count(*) from runtime.agent_executions where org_id = $1::uuid";
    let count = sqlx::query_scalar::<_, i64>(sql).bind(&org.id);
    let count = count.fetch_one(&all.database.superuser()).await.unwrap();
    assert!(answered <= usize::try_from(count).unwrap(), "{count} of {answered} are there");
}
