//! Both services in this process, over real TCP and under their own database roles.
//!
//! [`Stack::start`] gives a test services and a database of its own. Tests that need nothing but an organization share one stack
//! ([`Stack::shared`]): an organization is a world of its own, which is what the product is about.

mod serve;

pub use crate::org::{Member, Org};
pub use serve::Served;

use crate::{certificates::Authority, database::TestDatabase, doors::Doors, settings::Settings};
use std::{
    ops::Deref,
    sync::{Arc, LazyLock},
};
use tokio::{runtime::Runtime, sync::OnceCell};

/// Both services and their database. They end with this value.
#[derive(Debug)]
pub struct Stack {
    pub web: Served,
    /// Empty when the stack was made without them.
    pub runtimes: Vec<Served>,
    /// Whoever signs certificates here, if anybody does.
    pub authority: Option<Authority>,
    doors: Doors,
    /// Last, so that the services are gone when it is dropped.
    pub database: TestDatabase,
}

/// What a stack is to be.
#[derive(Debug)]
pub struct Builder {
    runtimes: usize,
    settings: Settings,
    authority: Option<Authority>,
}

impl Stack {
    /// web-service and one runtime-service.
    pub async fn start() -> Self {
        Self::builder().start().await
    }

    pub fn builder() -> Builder {
        Builder { runtimes: 1, settings: Settings::default(), authority: None }
    }

    /// The stack that all tests of this process share. Make an organization in it and keep to that.
    pub async fn shared() -> Arc<Self> {
        static STACK: OnceCell<Arc<Stack>> = OnceCell::const_new();
        STACK.get_or_init(|| Self::builder().start_shared()).await.clone()
    }

    /// Another one, for those who ask what the services' statements keep apart by themselves: its tables have no row-level security, and the
    /// services do not look after that again.
    pub async fn shared_without_policies() -> Arc<Self> {
        static STACK: OnceCell<Arc<Stack>> = OnceCell::const_new();
        let start = || async {
            let stack = Self::builder().set("PROBE_INTERVAL", "1h").start_shared().await;
            stack.database.disable_row_security().await;
            stack
        };
        STACK.get_or_init(start).await.clone()
    }

    /// Starts another runtime-service on the same database.
    pub async fn add_runtime(&mut self) {
        let authority = self.authority.as_ref();
        let served = serve::runtime(&self.database, &Settings::default(), authority).await;
        self.runtimes.push(served);
    }
}

impl Builder {
    /// web-service alone: the address that it has of the runtime leads nowhere.
    #[must_use]
    pub fn without_runtime(self) -> Self {
        self.runtime_replicas(0)
    }

    /// That many replicas of runtime-service. Commands go to the first; all of them work.
    #[must_use]
    pub fn runtime_replicas(self, count: usize) -> Self {
        Self { runtimes: count, ..self }
    }

    /// A setting of both services by the name of its variable without `FREEHOLD_`, such as `DEADLINE_MAX`.
    #[must_use]
    pub fn set(mut self, name: &'static str, value: &str) -> Self {
        self.settings.both.push((name, value.to_owned()));
        self
    }

    /// A setting of web-service alone.
    #[must_use]
    pub fn set_web(mut self, name: &'static str, value: &str) -> Self {
        self.settings.web.push((name, value.to_owned()));
        self
    }

    /// A setting of runtime-service alone.
    #[must_use]
    pub fn set_runtime(mut self, name: &'static str, value: &str) -> Self {
        self.settings.runtime.push((name, value.to_owned()));
        self
    }

    /// Leaves out a setting that the harness would set.
    #[must_use]
    pub fn without(mut self, name: &'static str) -> Self {
        self.settings.without.push(name);
        self
    }

    /// Certificates everywhere: callers need one, and the two services know each other by nothing else.
    #[must_use]
    pub fn mutual_tls(self) -> Self {
        Self { authority: Some(Authority::new()), ..self }.without("RUNTIME_KEY")
    }

    /// Starts everything and waits until it serves.
    pub async fn start(self) -> Stack {
        let database = TestDatabase::create().await;
        self.on(database).await
    }

    /// One that outlives the test that asks for it first.
    async fn start_shared(self) -> Arc<Stack> {
        // Not on the test's own runtime, which ends before the others'.
        static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
            tokio::runtime::Builder::new_multi_thread()
                .worker_threads(2)
                .enable_all()
                .thread_name("shared-stack")
                .build()
                .expect("threads can be had")
        });
        let stack = RUNTIME.spawn(self.set("DATABASE_CONNECTIONS_MAX", "8").start()).await;
        Arc::new(stack.expect("the shared stack starts"))
    }

    /// [`Builder::start`] on a database that the test has made.
    pub async fn on(self, database: TestDatabase) -> Stack {
        let authority = self.authority.as_ref();
        let mut runtimes = Vec::new();
        for _ in 0..self.runtimes {
            runtimes.push(serve::runtime(&database, &self.settings, authority).await);
        }
        let web = serve::web(&database, &self.settings, &runtimes, authority).await;
        let runtime = runtimes.first().map(|it| it.channel.clone());
        let doors = Doors { web: web.channel.clone(), runtime };
        Stack { web, runtimes, authority: self.authority, doors, database }
    }
}

impl Deref for Stack {
    type Target = Doors;

    fn deref(&self) -> &Doors {
        &self.doors
    }
}
