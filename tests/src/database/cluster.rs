//! The server that tests share: the template, the copies, and what dead runs left behind.

use shared_db::ids::WorkerId;
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, PgConnection, PgPool,
    error::DatabaseError,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use std::{
    env, fmt,
    sync::{
        LazyLock,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};
use tokio::{runtime::Runtime, sync::OnceCell};

/// First half of the advisory locks' key. The second is the run's number, or 0 for whoever changes roles.
const LOCK_CLASS: i32 = 0x4648;
const ROLES_LOCK: i32 = 0;

/// SQLSTATE `object_in_use`: somebody else copies the template just now.
const OBJECT_IN_USE: &str = "55006";
const COPY_ATTEMPTS_MAX: u32 = 100;

/// How long the end of a test waits until its database is gone.
const DROP_WAIT: Duration = Duration::from_secs(1);

pub(super) struct Cluster {
    pub(super) superuser: PgConnectOptions,
    /// Number of this run, in the names of its databases.
    run: i32,
    copies: AtomicU32,
    /// Outlives the runtimes of single tests.
    runtime: Runtime,
    admin: OnceCell<Admin>,
}

struct Admin {
    pool: PgPool,
    /// Holds the lock that says that this run is alive.
    _alive: PgConnection,
}

static CLUSTER: LazyLock<Cluster> = LazyLock::new(|| {
    let url = env::var(super::CLUSTER_VARIABLE).unwrap_or_else(|_| {
        panic!(
            "set {} to the URL of a superuser of a PostgreSQL cluster for tests; ./dev test does",
            super::CLUSTER_VARIABLE
        )
    });
    Cluster::at(&url)
});

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cluster(run {:08x})", self.run)
    }
}

/// The password of a login role. The same in every process: the last to set it must not lock the others out.
pub(super) fn password(role: &str) -> String {
    let variable = format!("FREEHOLD_{}_PASSWORD", role.to_uppercase());
    env::var(variable).unwrap_or_else(|_| format!("test-{role}"))
}

impl Cluster {
    pub(super) fn get() -> &'static Self {
        &CLUSTER
    }

    pub(super) fn at(url: &str) -> Self {
        let superuser = url.parse().expect("a PostgreSQL URL");
        let random = WorkerId::generate().0.as_u128() & 0x7fff_ffff;
        let run = i32::try_from(random).expect("31 bits").max(1);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .thread_name("test-cluster")
            .build()
            .expect("a thread can be had");
        Self { superuser, run, copies: AtomicU32::new(0), runtime, admin: OnceCell::new() }
    }

    /// A copy of the template.
    pub(super) async fn create_from_template(&'static self) -> String {
        let template = self.name("template");
        let sql = move |name: &str| format!("create database {name} template {template}");
        self.run_here(self.create(sql)).await
    }

    pub(super) async fn create_empty(&'static self) -> String {
        let sql = |name: &str| format!("create database {name} template template0");
        self.run_here(self.create(sql)).await
    }

    /// Waits until it is gone, so that a process that ends leaves nothing behind; but not for long. A connection that is about to be made
    /// keeps a database from being dropped, and what makes it may be of this very thread: then it goes when the thread goes on.
    pub(super) fn drop_database(&'static self, name: &str) {
        let sql = format!("drop database if exists {name} with (force)");
        let (done, wait) = std::sync::mpsc::channel();
        self.runtime.spawn(async move {
            let admin = self.admin().await;
            let result = sqlx::query(AssertSqlSafe(sql)).execute(&admin.pool).await;
            // Nobody listens any more when the wait below timed out.
            let _ = done.send(result.map(|_| ()));
        });
        match wait.recv_timeout(DROP_WAIT) {
            Ok(Ok(())) => {}
            other => eprintln!(
                "{name} is not dropped yet; if it stays, the next run drops it: {other:?}"
            ),
        }
    }

    /// The tests' runtimes come and go, and connections with them: what is shared lives on the cluster's own.
    async fn run_here<T: Send + 'static>(
        &'static self,
        future: impl Future<Output = T> + Send + 'static,
    ) -> T {
        self.runtime.spawn(future).await.expect("the harness made a database")
    }

    fn name(&self, suffix: &str) -> String {
        format!("fht_{:08x}_{suffix}", self.run)
    }

    async fn create(&'static self, sql: impl Fn(&str) -> String + Send) -> String {
        let admin = self.admin().await;
        let name = self.name(&self.copies.fetch_add(1, Ordering::Relaxed).to_string());
        for attempt in 1.. {
            let result = sqlx::query(AssertSqlSafe(sql(&name))).execute(&admin.pool).await;
            let Err(error) = result else { break };
            let code = error.as_database_error().and_then(DatabaseError::code).unwrap_or_default();
            assert!(
                code == OBJECT_IN_USE && attempt < COPY_ATTEMPTS_MAX,
                "{name} can be created: {error}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        name
    }

    async fn admin(&'static self) -> &'static Admin {
        self.admin.get_or_init(|| self.begin_run()).await
    }

    async fn begin_run(&'static self) -> Admin {
        let mut alive = self.superuser.connect().await.expect("the tests' PostgreSQL answers");
        lock(&mut alive, self.run).await.expect("a lock can be taken");
        let pool = PgPoolOptions::new()
            .max_connections(2)
            .acquire_timeout(Duration::from_mins(1))
            .connect_with(self.superuser.clone())
            .await
            .expect("the tests' PostgreSQL answers");
        drop_leftovers(&self.superuser).await.expect("leftovers can be dropped");
        self.make_template().await.expect("the template can be migrated");
        Admin { pool, _alive: alive }
    }

    async fn make_template(&self) -> anyhow::Result<()> {
        let name = self.name("template");
        // Roles belong to the cluster: one process at a time.
        let mut admin = self.superuser.connect().await?;
        lock(&mut admin, ROLES_LOCK).await?;
        sqlx::query(AssertSqlSafe(format!("create database {name} template template0")))
            .execute(&mut admin)
            .await?;
        let mut template = self.superuser.clone().database(&name).connect().await?;
        super::schema::apply(&mut template).await?;
        template.close().await?;
        sqlx::query(AssertSqlSafe(format!("alter database {name} allow_connections false")))
            .execute(&mut admin)
            .await?;
        Ok(admin.close().await?)
    }
}

async fn lock(connection: &mut PgConnection, key: i32) -> sqlx::Result<()> {
    sqlx::query("select pg_advisory_lock($1, $2)")
        .bind(LOCK_CLASS)
        .bind(key)
        .execute(connection)
        .await?;
    Ok(())
}

/// Drops the databases of runs that are no longer alive.
async fn drop_leftovers(superuser: &PgConnectOptions) -> sqlx::Result<()> {
    let mut connection = superuser.connect().await?;
    let names: Vec<String> =
        sqlx::query_scalar(r"select datname from pg_database where datname like 'fht\_%'")
            .fetch_all(&mut connection)
            .await?;
    for name in names {
        let run = name.get(4..12).and_then(|hex| i32::from_str_radix(hex, 16).ok());
        let Some(run) = run else { continue };
        let dead: bool = sqlx::query_scalar("select pg_try_advisory_lock($1, $2)")
            .bind(LOCK_CLASS)
            .bind(run)
            .fetch_one(&mut connection)
            .await?;
        if dead {
            let sql = format!("drop database if exists {name} with (force)");
            sqlx::query(AssertSqlSafe(sql)).execute(&mut connection).await?;
            let _ = std::fs::remove_dir_all(super::files_dir(&name));
        }
    }
    connection.close().await
}
