//! Trying what is forbidden: each statement in a subtransaction of its own that is always undone.
//!
//! They run inside one anonymous block, so that a hundred of them cost one round trip and the expected failures do not fill the
//! server's log. None of them touches a row: privileges are checked before the first one is looked for.

use super::{Finding, forbidden};
use crate::{
    contract::{Contract, Principal, Table, Verb},
    error::Result,
    quote,
};
use sqlx::{AssertSqlSafe, PgConnection};

/// SQLSTATE under which the block tells what went through; `FH002` undoes one statement.
const WENT_THROUGH: &str = "FH001";
/// SQLSTATE `insufficient_privilege`.
const DENIED: &str = "42501";

/// Tries everything that `principal` must not do, as that role.
pub(super) async fn all(
    conn: &mut PgConnection,
    contract: &Contract,
    principal: Principal,
) -> Result<Vec<Finding>> {
    if principal.platform {
        let role = principal.role();
        let sql = format!("set local role {role}");
        match sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *conn).await {
            Ok(_) => {}
            Err(sqlx::Error::Database(it)) if it.code().as_deref() == Some(DENIED) => {
                let mend = format!("run: grant {role} to {}", principal.service.role());
                return Ok(vec![Finding::new(
                    role,
                    format!("the service can't step into it; {mend}"),
                )]);
            }
            Err(error) => return Err(error.into()),
        }
    }
    let attempts: Vec<_> = contract.tables.iter().flat_map(|it| of_table(it, principal)).collect();
    // Every name in the block comes from the embedded contract, and is quoted as a text.
    let result = sqlx::raw_sql(AssertSqlSafe(block(&attempts))).execute(conn).await;
    let message = match result {
        Ok(_) => return Ok(Vec::new()),
        Err(sqlx::Error::Database(it)) if it.code().as_deref() == Some(WENT_THROUGH) => {
            it.message().to_owned()
        }
        Err(error) => return Err(error.into()),
    };
    let finding = |line: &str| {
        let (path, what) = line.split_once(' ').unwrap_or((line, ""));
        let sentence = format!("{} was not denied {what}; run shared-db verify", principal.role());
        Finding::new(path, sentence)
    };
    Ok(message.lines().map(finding).collect())
}

/// One forbidden statement, under the name that a finding gives it: the table, a blank, the verb.
struct Attempt {
    name: String,
    sql: String,
}

fn of_table(table: &Table, principal: Principal) -> Vec<Attempt> {
    let path = table.path();
    let attempt = |verb: Verb| {
        // A column that every table of its scope has, set to itself on no row.
        let column = if table.scope.has_org_id() { "org_id" } else { "id" };
        let sql = match verb {
            Verb::Insert => format!("insert into {path} select where false"),
            Verb::Update => format!("update {path} set {column} = default where false"),
            Verb::Delete => format!("delete from {path} where false"),
            Verb::Truncate => format!("truncate {path}"),
            // Asked for in `privileges`; trying them would need an object of our own.
            Verb::Select | Verb::References | Verb::Trigger | Verb::Maintain => return None,
        };
        Some(Attempt { name: format!("{path} {}", verb.sql()), sql })
    };
    let mut all: Vec<_> = forbidden(table, principal).filter_map(attempt).collect();
    for column in table.secret.iter().filter(|it| !table.may_read(principal, it)) {
        let sql = format!("select {} from {path} where false", quote::ident(column));
        all.push(Attempt { name: format!("{path} select of {column}"), sql });
    }
    all
}

fn block(attempts: &[Attempt]) -> String {
    let rows: Vec<_> = attempts
        .iter()
        .map(|it| format!("[{}, {}]", quote::literal(&it.name), quote::literal(&it.sql)))
        .collect();
    let block = format!(
        "declare
            attempt text[];
            through text[] := '{{}}';
        begin
            foreach attempt slice 1 in array array[{}]::text[] loop
                begin
                    execute attempt[2];
                    raise exception using errcode = 'FH002', message = 'it succeeded';
                exception
                    when insufficient_privilege then null;
                    when others then through := through || (attempt[1] || ' (' || sqlerrm || ')');
                end;
            end loop;
            if through <> '{{}}' then
                raise exception using errcode = '{WENT_THROUGH}', message = array_to_string(through, E'\\n');
            end if;
        end",
        rows.join(", ")
    );
    format!("do {}", quote::literal(&block))
}
