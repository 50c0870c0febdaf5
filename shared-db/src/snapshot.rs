//! The schema as it stands, in one file that people read and drift is measured against.
//!
//! `schema.sql` is written from the catalog by our own questions: `pg_dump` would write another file with each version of
//! PostgreSQL. Objects are compared one by one, by name, so that their order means nothing.

mod canonical;
mod catalog;
mod text;

use anyhow::Result;
use sqlx::PgConnection;
use std::sync::LazyLock;

const EMBEDDED: &str = include_str!("../schema.sql");

/// What an object is, in the order in which it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    Type,
    Function,
    Table,
    Column,
    Constraint,
    Index,
    Trigger,
    View,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Type => "type",
            Self::Function => "function",
            Self::Table => "table",
            Self::Column => "column",
            Self::Constraint => "constraint",
            Self::Index => "index",
            Self::Trigger => "trigger",
            Self::View => "view",
        }
    }
}

/// One object of the schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    pub kind: Kind,
    /// The table that it is part of; empty for what stands by itself.
    pub of: String,
    pub name: String,
    /// For parts of a table what follows their name, otherwise the whole statement.
    pub sql: String,
}

impl Object {
    pub fn is(&self, other: &Self) -> bool {
        (self.kind, &self.of, &self.name) == (other.kind, &other.of, &other.name)
    }
}

/// A whole schema.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    pub objects: Vec<Object>,
}

impl Snapshot {
    /// The schema that this build was made for.
    pub fn embedded() -> &'static Self {
        static SNAPSHOT: LazyLock<Snapshot> = LazyLock::new(|| text::read(EMBEDDED));
        &SNAPSHOT
    }

    /// The schema of a database.
    pub async fn take(conn: &mut PgConnection) -> Result<Self> {
        catalog::read(conn).await
    }

    /// The text of `schema.sql`.
    pub fn text(&self) -> String {
        text::write(self)
    }

    pub fn find(&self, like: &Object) -> Option<&Object> {
        self.objects.iter().find(|it| it.is(like))
    }

    /// The parts of one table.
    pub fn parts(&self, table: &str) -> impl Iterator<Item = &Object> {
        self.objects.iter().filter(move |it| it.of == table)
    }
}
