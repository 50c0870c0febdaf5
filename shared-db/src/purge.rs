//! Erasing an organization, or a person, from the tables of one owner: in small transactions, each of which also says how far it has come.
//!
//! [`plan`] says what is to be done to which table; nobody lists tables by hand. [`pass`] goes through it once. The counts and the
//! position stand in a row of the service's own ([`Ledger`]) and are written with what they count, so that a process that dies
//! loses neither a row of the receipt nor its place.

mod plan;
mod step;

pub use plan::{Step, What, plan};

use crate::{
    enums::PurgeSubject,
    error::{Error, Result},
    ids::PurgeId,
    scope::{Db, Scope},
};
use common_api::types::PurgedTable;
use serde_json::{Map, Value, json};
use sqlx::PgConnection;
use std::{future::Future, time::Duration};
use step::Done;
use tokio::time::Instant;
use uuid::Uuid;

/// Rows that one transaction erases or looks at: few at first, and then as many as can be done in this time. A row may be some bytes
/// or many megabytes.
const BATCH_FIRST: i32 = 64;
const BATCH_MAX: i32 = 4096;
const BATCH_TIME: Duration = Duration::from_millis(200);

/// What is erased, and for which purge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Order {
    pub purge: PurgeId,
    pub subject: PurgeSubject,
    pub id: Uuid,
}

/// What stands in the row of a purge.
#[derive(Clone, Debug, Default)]
pub struct Book {
    /// Rows by table: `{"web.activities": {"erased": 12, "replaced": 3}}`.
    pub counts: Value,
    /// How far each column has been gone through.
    pub progress: Value,
}

impl Book {
    /// Counts more rows of `table`, such as `web.activities`.
    pub fn add(&mut self, table: &str, erased: i64, replaced: i64) {
        let of = object(&mut self.counts).entry(table).or_insert_with(|| json!({}));
        for (name, more) in [("erased", erased), ("replaced", replaced)] {
            let sum = of[name].as_i64().unwrap_or_default() + more;
            of[name] = sum.into();
        }
    }
}

/// The object that a value is. What is none becomes an empty one.
fn object(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = json!({});
    }
    value.as_object_mut().expect("it was made one")
}

/// Where a service keeps the receipt of its part.
pub trait Ledger: Send + Sync {
    /// Locks the row of a purge and returns what stands in it; `None` when it is over.
    fn open<'a>(
        &'a self,
        conn: &'a mut PgConnection,
        purge: PurgeId,
    ) -> impl Future<Output = Result<Option<Book>>> + Send + 'a;

    /// Replaces what stands in it.
    fn note<'a>(
        &'a self,
        conn: &'a mut PgConnection,
        purge: PurgeId,
        book: Book,
    ) -> impl Future<Output = Result<()>> + Send + 'a;
}

/// A receipt, as it stands in a column.
pub fn tables(counts: Option<&Value>) -> Vec<PurgedTable> {
    let counts = counts.and_then(Value::as_object).into_iter().flatten();
    let count = |of: &Value, name: &str| of[name].as_i64().unwrap_or_default();
    let mut tables: Vec<_> = counts
        .map(|(table, of)| PurgedTable {
            table: table.clone(),
            erased: count(of, "erased"),
            replaced: count(of, "replaced"),
        })
        .filter(|it| 0 < it.erased + it.replaced)
        .collect();
    tables.sort_by(|a, b| a.table.cmp(&b.table));
    tables
}

/// What going through the plan came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Passed {
    /// Rows erased or changed.
    pub rows: i64,
    /// The plan was gone through to its end.
    pub complete: bool,
    /// Tables that rows of somebody else still refer to, so that the other service has to go first; and those whose rows wait for what
    /// is outside of the database.
    pub blocked: Vec<String>,
}

impl Passed {
    /// Nothing is left to be done, as far as this pass could see.
    pub fn is_finished(&self) -> bool {
        self.complete && self.blocked.is_empty()
    }
}

/// Goes through the plan of the service whose database this is, until its end or until `enough` says so.
pub async fn pass(
    db: &Db,
    ledger: &impl Ledger,
    order: Order,
    enough: impl Fn() -> bool + Send + Sync,
) -> Result<Passed> {
    let steps = plan(&mut *db.begin(Scope::Platform).await?, db.service(), order.subject).await?;
    let mut passed = Passed::default();
    for step in &steps {
        let mut at_most = BATCH_FIRST;
        loop {
            if enough() {
                return Ok(passed);
            }
            let begun = Instant::now();
            match batch(db, ledger, order, step, at_most).await {
                Ok(done) => {
                    passed.rows += done.erased + done.replaced;
                    at_most = next_size(at_most, begun.elapsed());
                    if done.blocked {
                        passed.blocked.push(step.table.clone());
                    }
                    if done.last {
                        break;
                    }
                }
                Err(Error::Database(sqlx::Error::Database(it)))
                    if it.is_foreign_key_violation() =>
                {
                    tracing::debug!(table = step.table, error = %it, "a table can not be erased yet");
                    passed.blocked.push(step.table.clone());
                    break;
                }
                Err(error) => return Err(error),
            }
        }
    }
    passed.complete = true;
    Ok(passed)
}

fn next_size(size: i32, took: Duration) -> i32 {
    if took < BATCH_TIME / 2 {
        (size * 2).min(BATCH_MAX)
    } else if BATCH_TIME < took {
        (size / 2).max(1)
    } else {
        size
    }
}

/// One transaction: some rows, and what the receipt says of them.
async fn batch(
    db: &Db,
    ledger: &impl Ledger,
    order: Order,
    step: &Step,
    at_most: i32,
) -> Result<Done> {
    let mut tx = db.begin(Scope::Platform).await?;
    let Some(mut book) = ledger.open(&mut tx, order.purge).await? else {
        return Ok(Done::nothing());
    };
    let key = step.key();
    let before = book.progress.get(&key).cloned();
    let done = step::Batch { service: db.service(), order, step, at_most }
        .run(&mut tx, before.as_ref())
        .await?;
    if done.erased + done.replaced == 0 && done.after == before {
        return Ok(done);
    }
    if let Some(after) = &done.after {
        object(&mut book.progress).insert(key, after.clone());
    }
    book.add(&step.table, done.erased, done.replaced);
    ledger.note(&mut tx, order.purge, book).await?;
    tx.commit().await?;
    Ok(done)
}
