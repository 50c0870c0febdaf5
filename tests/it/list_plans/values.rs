//! What the conditions of a list are explained with: a value that many rows have, one that few have, and one that none has.

use super::{Sent, plans::Prepared};
use sqlx::{AssertSqlSafe, PgPool};

/// How a statement compares a parameter.
enum Compared {
    /// With a column, by an operator.
    With(String),
    /// With the elements of a column.
    Has(String),
    /// With the words of a row.
    Words,
    /// It is there or not.
    Flag,
    /// With what is in another table.
    Elsewhere,
}

/// The condition that a parameter stands in.
fn compared(text: &str, number: usize) -> Compared {
    let parameter = format!("${number}");
    let places =
        text.match_indices(&parameter).map(|(at, _)| (&text[..at], &text[at + parameter.len()..]));
    for (before, after) in
        places.filter(|(_, after)| !after.starts_with(|it: char| it.is_ascii_digit()))
    {
        if after.starts_with("::") || after.starts_with(" is null") {
            continue;
        }
        let is_shown = before.ends_with("deleted_at is null or ")
            || after.starts_with(" or deleted_at is null");
        if before.ends_with("not ") || is_shown {
            return Compared::Flag;
        }
        let set = before.strip_suffix(" @> array[").or_else(|| before.strip_suffix(" @> "));
        if let Some(before) = set {
            return Compared::Has(column(before));
        }
        if before.ends_with("starts_with(media_type, ") {
            return Compared::With("media_type".to_owned());
        }
        if before.ends_with("tsquery('simple', ") || before.ends_with("translate(") {
            return Compared::Words;
        }
        let compared =
            [" = ", " >= ", " < ", " > ", " <= "].iter().find_map(|it| before.strip_suffix(it));
        if let Some(before) = compared {
            return Compared::With(column(before));
        }
    }
    Compared::Elsewhere
}

/// The column at the end of a text, bare or as `coalesce(column, …)`.
fn column(text: &str) -> String {
    let text = if text.ends_with(')') {
        let inner = text.rfind("coalesce(").map(|at| &text[at + "coalesce(".len()..]);
        inner.and_then(|it| it.split(',').next()).expect("a column")
    } else {
        text
    };
    let is_of_a_name = |it: char| it.is_ascii_alphanumeric() || it == '_';
    text.rsplit(|it| !is_of_a_name(it)).next().expect("a column").to_owned()
}

/// Values of one condition as SQL, the most frequent first, each with how it is called.
pub(super) async fn of(
    pool: &PgPool,
    &Sent { schema, table, ref owners, .. }: &Sent<'_>,
    statement: &Prepared,
    at: usize,
) -> Vec<(&'static str, String)> {
    let owned = owners.iter().map(|(column, value)| format!(" and {column} = {value}"));
    let whose = format!("true{}", owned.collect::<String>());
    let ty = statement.types[at].as_str();
    let absent = match ty {
        "uuid" => Some(("absent", "'00000000-0000-7000-8000-00000000ffff'".to_owned())),
        "text" | "text[]" => Some(("absent", "'needle'".to_owned())),
        _ => None,
    };
    let from = match compared(&statement.text, at + 1) {
        Compared::Flag => return vec![("set", "true".to_owned())],
        Compared::Elsewhere => return absent.into_iter().collect(),
        Compared::With(column) if !has(pool, (schema, table), &column).await => {
            return absent.into_iter().collect();
        }
        Compared::Words => {
            let words = [("frequent", "common"), ("rare", "seldom"), ("absent", "needle")];
            return words.map(|(name, it)| (name, format!("'{it}'"))).to_vec();
        }
        Compared::With(column) if ty == "timestamp with time zone" => {
            let sql = format!(
                "select unnest(percentile_disc(array[0.0005, 0.5, 0.9995]) within group (order by {column}))::text
                 from {schema}.{table} where {whose}"
            );
            let names = ["early", "midway", "late"];
            return names.into_iter().zip(quoted(pool, sql).await).collect();
        }
        Compared::With(column) => {
            format!("(select {column} as value from {schema}.{table} where {whose}) as them")
        }
        Compared::Has(column) => {
            format!(
                "(select unnest({column}) as value from {schema}.{table} where {whose}) as them"
            )
        }
    };
    let sql = format!(
        "with counted as (select value, count(*) as times from {from} where value is not null group by value)
         (select value::text from counted order by times desc limit 1)
         union all (select value::text from counted order by times limit 1)"
    );
    let mut values: Vec<_> =
        ["frequent", "rare"].into_iter().zip(quoted(pool, sql).await).collect();
    assert!(!values.is_empty(), "{table} has nothing for {}", statement.text);
    values.extend(absent);
    if ty == "text[]" {
        return values.into_iter().map(|(name, it)| (name, format!("array[{it}]"))).collect();
    }
    values
}

async fn has(pool: &PgPool, (schema, table): (&str, &str), column: &str) -> bool {
    let sql = "select exists (select from pg_attribute where attrelid = ($1 || '.' || $2)::regclass and attname = $3)";
    sqlx::query_scalar(sql).bind(schema).bind(table).bind(column).fetch_one(pool).await.unwrap()
}

async fn quoted(pool: &PgPool, sql: String) -> Vec<String> {
    let values: Vec<String> = sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(pool).await.unwrap();
    values.into_iter().map(|it| format!("'{it}'")).collect()
}

/// Whether a condition compares words, which nothing can look up.
pub(super) fn is_of_words(statement: &Prepared, at: usize) -> bool {
    matches!(compared(&statement.text, at + 1), Compared::Words)
}
