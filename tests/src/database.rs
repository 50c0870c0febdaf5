//! Databases for tests: each test has its own, copied from a template that this process migrated once.
//!
//! Several test processes may share a cluster. Each holds an advisory lock under its run's number for as long as it lives; what
//! the databases of runs whose lock is free left behind is dropped by the next process.

mod cluster;
mod schema;
pub mod server;

use cluster::Cluster;
use shared_db::{
    pool::{Pool, PoolLimits},
    scope::{Db, Service},
};
use sqlx::{
    ConnectOptions, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

/// Where the URL of a superuser of the tests' cluster is.
pub const CLUSTER_VARIABLE: &str = "FREEHOLD_TEST_DATABASE_URL";

/// The machine that runs the tests may be busy.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);

/// A database that is dropped with this value.
#[derive(Debug)]
pub struct TestDatabase {
    pub name: String,
    cluster: &'static Cluster,
}

impl TestDatabase {
    /// A migrated database without rows.
    pub async fn create() -> Self {
        let cluster = Cluster::get();
        let name = cluster.create_from_template().await;
        Self { name, cluster }
    }

    /// A migrated database on another server than the tests', by a URL of its superuser. What is kept of the server stays in
    /// memory: a process uses few.
    pub async fn on(superuser_url: &str) -> Self {
        let cluster: &'static Cluster = Box::leak(Box::new(Cluster::at(superuser_url)));
        let name = cluster.create_from_template().await;
        Self { name, cluster }
    }

    /// A database with nothing in it, for tests that migrate it themselves. The roles are there: they belong to the cluster.
    pub async fn empty() -> Self {
        let cluster = Cluster::get();
        let name = cluster.create_empty().await;
        Self { name, cluster }
    }

    /// As the superuser that the tests were given: bypasses row-level security.
    pub fn superuser_url(&self) -> String {
        self.url(self.cluster.superuser.clone())
    }

    /// As the owner of all objects.
    pub fn owner_url(&self) -> String {
        self.role_url("freehold_owner")
    }

    /// As web-service.
    pub fn web_url(&self) -> String {
        self.role_url("web_app")
    }

    /// As runtime-service.
    pub fn runtime_url(&self) -> String {
        self.role_url("agent_runtime")
    }

    /// As the login that maintains.
    pub fn maintenance_url(&self) -> String {
        self.role_url("freehold_maintenance")
    }

    /// A pool for looking at tables as the superuser, closed with the runtime of the test that asks for it.
    pub fn superuser(&self) -> PgPool {
        pool(&self.superuser_url())
    }

    /// Waits until somebody waits for a lock.
    pub async fn until_somebody_waits(&self) {
        let sql = "select exists (
            select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'
        )";
        let (pool, give_up) = (self.superuser(), Instant::now() + Duration::from_secs(20));
        while !sqlx::query_scalar::<_, bool>(sql).fetch_one(&pool).await.expect("it can be asked") {
            assert!(Instant::now() < give_up, "nobody waits for a lock");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Switches off row-level security, of all tables.
    pub(crate) async fn disable_row_security(&self) {
        let sql = "do $$
            declare
                secured regclass;
            begin
                for secured in select oid from pg_class where relrowsecurity and relkind in ('r', 'p') loop
                    execute format('alter table %s disable row level security', secured);
                end loop;
            end $$";
        sqlx::raw_sql(sql).execute(&self.superuser()).await.expect("a superuser may");
    }

    /// A pool of web-service's role.
    pub fn web(&self) -> PgPool {
        pool(&self.web_url())
    }

    /// A pool of runtime-service's role.
    pub fn runtime(&self) -> PgPool {
        pool(&self.runtime_url())
    }

    /// The way to it that a service has.
    pub fn db(&self, service: Service) -> Db {
        match service {
            Service::Web => db(&self.web_url(), service),
            Service::Runtime => db(&self.runtime_url(), service),
        }
    }

    /// Where web-services on this database keep the bytes of files. It goes with the database.
    pub fn files_dir(&self) -> PathBuf {
        files_dir(&self.name)
    }

    fn role_url(&self, role: &str) -> String {
        let options = self.cluster.superuser.clone().username(role);
        self.url(options.password(&cluster::password(role)))
    }

    fn url(&self, options: PgConnectOptions) -> String {
        options.database(&self.name).to_url_lossy().to_string()
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        self.cluster.drop_database(&self.name);
        // Most databases never had a file.
        let _ = std::fs::remove_dir_all(self.files_dir());
    }
}

fn files_dir(name: &str) -> PathBuf {
    std::env::temp_dir().join("freehold-test-files").join(name)
}

/// As a service would go to the database at `url`, with few connections.
pub fn db(url: &str, service: Service) -> Db {
    let limits = PoolLimits {
        acquire_timeout: ACQUIRE_TIMEOUT,
        connections_max: 2,
        ..PoolLimits::default()
    };
    let options = url.parse().expect("the harness made this URL");
    Db::new(Pool::new(options, limits), service)
}

/// Few connections, made when they are needed: many tests share one server.
fn pool(url: &str) -> PgPool {
    PgPoolOptions::new()
        .max_connections(2)
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .connect_lazy(url)
        .expect("the harness made this URL")
}
