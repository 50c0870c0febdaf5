//! The live proof: a service, as itself, asks the running database whether it could do what it must not.
//!
//! [`check`] tries every forbidden verb on every table, as the login role and as the platform role, and expects SQLSTATE 42501;
//! whatever succeeds is undone. [`glance`] only asks for privileges, in two short statements. Both answer with an empty list when
//! all is well; each finding is a sentence for the log, and a reason not to serve.

mod attempts;
mod identity;

use crate::{
    contract::{Contract, Principal, Table, Verb},
    error::Result,
    migrate,
    scope::{Db, Tx},
};
use std::fmt;

/// Something that the service must not be able to do, or not be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The role, table or schema that it is about.
    pub object: String,
    /// For the log: what is wrong, and what to do.
    pub sentence: String,
}

impl Finding {
    fn new(object: impl Into<String>, sentence: impl Into<String>) -> Self {
        Self { object: object.into(), sentence: sentence.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.sentence)
    }
}

/// Looks at who the service is and what it may do, without trying anything: cheap enough for every few seconds.
pub async fn glance(db: &Db) -> Result<Vec<Finding>> {
    let mut tx = begin(db).await?;
    look(&mut tx, db, Contract::embedded()).await
}

/// Looks, then tries everything that is forbidden, in a transaction that is rolled back. Some milliseconds.
pub async fn check(db: &Db) -> Result<Vec<Finding>> {
    let contract = Contract::embedded();
    let mut tx = begin(db).await?;
    let mut findings = look(&mut tx, db, contract).await?;
    for platform in [false, true] {
        // What is wrong once would fail the rest for the same reason, in a transaction that is aborted already.
        if findings.is_empty() {
            let principal = Principal { service: db.service(), platform };
            findings = attempts::all(&mut tx, contract, principal).await?;
        }
    }
    Ok(findings)
}

/// A transaction that nobody commits, and that waits for nothing long.
async fn begin(db: &Db) -> Result<Tx> {
    let sql = "begin; set local statement_timeout = '10s'; set local lock_timeout = '200ms'";
    db.begin_as(sql.to_owned()).await
}

async fn look(tx: &mut Tx, db: &Db, contract: &Contract) -> Result<Vec<Finding>> {
    let mut findings = identity::version(tx, migrate::version()).await?;
    if findings.is_empty() {
        findings = identity::role(tx, db.service()).await?;
    }
    // A superuser, or a member of the other side, may do everything: one sentence is enough.
    if findings.is_empty() {
        findings = privileges(tx, db, contract).await?;
    }
    Ok(findings)
}

/// The privileges that the service must not hold on `table`.
fn forbidden(table: &Table, principal: Principal) -> impl Iterator<Item = Verb> {
    let verbs =
        [Verb::Insert, Verb::Update, Verb::Delete, Verb::Truncate, Verb::References, Verb::Trigger];
    verbs.into_iter().filter(move |it| !table.may(principal, *it))
}

/// Asks for every forbidden privilege, also on single columns, and whether row-level security holds for the service.
async fn privileges(tx: &mut Tx, db: &Db, contract: &Contract) -> Result<Vec<Finding>> {
    let (mut roles, mut tables, mut verbs) = (Vec::new(), Vec::new(), Vec::new());
    for principal in Principal::ALL.into_iter().filter(|it| it.service == db.service()) {
        for table in &contract.tables {
            for verb in forbidden(table, principal) {
                roles.push(principal.role());
                tables.push(table.path());
                verbs.push(verb.sql());
            }
        }
    }
    let sql = "
        select role, path, verb
        from unnest($1::text[], $2::text[], $3::text[]) as it (role, path, verb)
        where case
            when verb in ('insert', 'update', 'references')
                then has_any_column_privilege(role, to_regclass(path)::oid, verb)
            else has_table_privilege(role, to_regclass(path)::oid, verb)
        end";
    let held: Vec<(String, String, String)> =
        sqlx::query_as(sql).bind(roles).bind(tables).bind(verbs).fetch_all(&mut **tx).await?;
    let mut findings: Vec<_> = held
        .into_iter()
        .map(|(role, path, verb)| {
            let sentence = format!(
                "{role} holds {verb} on it, which the contract forbids; run shared-db verify"
            );
            Finding::new(path, sentence)
        })
        .collect();
    let paths: Vec<_> = contract.tables.iter().map(Table::path).collect();
    let sql = "
        select path
        from unnest($1::text[]) as it (path)
        where row_security_active(to_regclass(path)::oid) is distinct from true";
    let open: Vec<String> = sqlx::query_scalar(sql).bind(paths).fetch_all(&mut **tx).await?;
    findings.extend(open.into_iter().map(|path| {
        Finding::new(path, "row-level security does not hold on it; run shared-db verify")
    }));
    Ok(findings)
}
