//! The contract, `ownership.toml`, as the program knows it: who may do what with which rows of which table.
//!
//! Grants, policies, the probe, the reference page and the matrix of the tests all ask [`Table::may`] and
//! [`Table::condition`]; nothing else decides.

mod condition;
mod file;
mod retention;

pub use condition::Condition;
pub use retention::Retention;

use crate::scope::Service;
use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use std::sync::LazyLock;

const SOURCE: &str = include_str!("../ownership.toml");

/// The schema of the boundary's own bookkeeping: read by both services, written by migrations alone.
pub const OWN_SCHEMA: &str = "freehold";

/// Where purges are asked for: the functions that erase for them look here, as the owner.
pub(crate) const PURGES: &str = "web.purges";

/// What a role can do to a table, of all that PostgreSQL knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    Select,
    Insert,
    Update,
    Delete,
    Truncate,
    References,
    Trigger,
    /// Since PostgreSQL 17.
    Maintain,
}

impl Verb {
    /// Those that row-level security knows.
    pub const ROWS: [Self; 4] = [Self::Select, Self::Insert, Self::Update, Self::Delete];
    pub const ALL: [Self; 8] = [
        Self::Select,
        Self::Insert,
        Self::Update,
        Self::Delete,
        Self::Truncate,
        Self::References,
        Self::Trigger,
        Self::Maintain,
    ];

    pub fn sql(self) -> &'static str {
        match self {
            Self::Select => "select",
            Self::Insert => "insert",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::Truncate => "truncate",
            Self::References => "references",
            Self::Trigger => "trigger",
            Self::Maintain => "maintain",
        }
    }
}

/// How the rows of a table are divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RowScope {
    Tenant,
    Organization,
    User,
    Private,
    Global,
    Queue,
}

impl RowScope {
    pub fn name(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Organization => "organization",
            Self::User => "user",
            Self::Private => "private",
            Self::Global => "global",
            Self::Queue => "queue",
        }
    }

    /// Whether every row belongs to the organization in its `org_id`.
    pub fn has_org_id(self) -> bool {
        matches!(self, Self::Tenant | Self::Private | Self::Queue)
    }
}

/// One table of the contract.
#[derive(Clone, Debug)]
pub struct Table {
    /// The service that writes it, whose schema it is in.
    pub owner: Service,
    pub schema: &'static str,
    pub name: String,
    pub scope: RowScope,
    pub append_only: bool,
    /// Columns that the other service may not read.
    pub secret: Vec<String>,
    /// Columns by which a foreign key names another organization on purpose.
    pub cross_tenant: Vec<String>,
    /// Columns that keep ids of users without a foreign key.
    pub users: Vec<String>,
    /// Columns that keep ids of other organizations without a foreign key.
    pub organizations: Vec<String>,
    /// Each row stands for something outside of the database, and goes with it.
    pub outside: bool,
    /// Of a table of users: the table in the same schema that says who is a member of what.
    pub members: Option<String>,
    pub retention: Option<Retention>,
    /// Whether the maintenance login removes what is past its retention.
    pub maintained: bool,
}

/// One of the four roles that the services act as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Principal {
    pub service: Service,
    /// Whether it is the role that crosses organizations.
    pub platform: bool,
}

impl Principal {
    pub const ALL: [Self; 4] = [
        Self { service: Service::Web, platform: false },
        Self { service: Service::Web, platform: true },
        Self { service: Service::Runtime, platform: false },
        Self { service: Service::Runtime, platform: true },
    ];

    pub fn role(self) -> &'static str {
        if self.platform { self.service.platform_role() } else { self.service.role() }
    }
}

impl Table {
    /// `schema.table`, as people write it.
    pub fn path(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }

    /// Whether `principal` holds the privilege for `verb`; for SELECT perhaps not on every column.
    pub fn may(&self, principal: Principal, verb: Verb) -> bool {
        let writes = self.owner == principal.service;
        match verb {
            Verb::Select => true,
            Verb::Insert | Verb::Update | Verb::Delete if !writes => false,
            Verb::Update | Verb::Delete if self.append_only => false,
            Verb::Insert | Verb::Delete => principal.platform || !self.kept_by_platform(),
            Verb::Update => principal.platform || self.scope != RowScope::Global,
            Verb::Truncate | Verb::References | Verb::Trigger | Verb::Maintain => false,
        }
    }

    /// Whether rows come and go by the platform role alone.
    fn kept_by_platform(&self) -> bool {
        matches!(self.scope, RowScope::Global | RowScope::User)
    }

    /// Whether `principal` may read `column`.
    pub fn may_read(&self, principal: Principal, column: &str) -> bool {
        self.owner == principal.service || !self.secret.iter().any(|it| it == column)
    }

    /// Whether `principal` reads some columns and not others.
    pub fn hides_from(&self, principal: Principal) -> bool {
        self.owner != principal.service && !self.secret.is_empty()
    }

    /// What the contract says of the table, in one line: its comment in the database.
    pub fn comment(&self) -> String {
        let mut parts = vec![
            format!("written by {}", self.owner.role()),
            format!("scope {}", self.scope.name()),
        ];
        if self.append_only {
            parts.push("append-only".to_owned());
        }
        if self.outside {
            parts.push("stands for what is outside of the database".to_owned());
        }
        if !self.secret.is_empty() {
            parts.push(format!("secret: {}", self.secret.join(", ")));
        }
        if let Some(retention) = self.retention {
            parts.push(format!("kept {retention}"));
        }
        for (whom, columns) in [("users", &self.users), ("organizations", &self.organizations)] {
            if !columns.is_empty() {
                parts.push(format!("names {whom}: {}", columns.join(", ")));
            }
        }
        parts.join("; ")
    }
}

/// The whole contract.
#[derive(Clone, Debug)]
pub struct Contract {
    /// The role that owns every object.
    pub owner: String,
    /// The login that may run the functions of retention and nothing else.
    pub maintenance: String,
    /// In the order of the reference page: web's, then runtime's, each by name.
    pub tables: Vec<Table>,
}

impl Contract {
    /// The contract that this build embeds.
    pub fn embedded() -> &'static Self {
        static CONTRACT: LazyLock<Contract> =
            LazyLock::new(|| Contract::parse(SOURCE).expect("a test parses the embedded contract"));
        &CONTRACT
    }

    pub fn parse(source: &str) -> Result<Self> {
        let file: file::File = toml::from_str(source).context("ownership.toml")?;
        let mut tables = Vec::new();
        for (service, section) in [(Service::Web, file.web), (Service::Runtime, file.runtime)] {
            ensure!(
                section.role == service.role() && section.platform_role == service.platform_role(),
                "ownership.toml: the roles of {} are not those of scope.rs",
                service.schema()
            );
            tables.extend(section.tables.into_iter().map(|(name, line)| line.named(service, name)));
        }
        for it in &tables {
            ensure!(
                (it.scope == RowScope::User) == it.members.is_some(),
                "ownership.toml: {}: `members` belongs to scope user, and to it alone",
                it.path()
            );
            ensure!(
                !it.maintained || it.retention.is_some(),
                "ownership.toml: {}: `maintained` needs a `retention`",
                it.path()
            );
        }
        Ok(Self { owner: file.roles.owner, maintenance: file.roles.maintenance, tables })
    }

    pub fn table(&self, schema: &str, name: &str) -> Option<&Table> {
        self.tables.iter().find(|it| it.schema == schema && it.name == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_contract_parses() {
        let contract = Contract::parse(SOURCE).unwrap();
        assert!(contract.table("web", "users").is_some());
        assert!(contract.table("web", "agents").is_none());
    }

    #[test]
    fn an_unknown_attribute_is_refused() {
        let source = SOURCE.replace("append_only = true", "apend_only = true");
        assert!(Contract::parse(&source).is_err());
    }

    #[test]
    fn nobody_may_write_what_the_other_owns() {
        for table in &Contract::embedded().tables {
            for principal in Principal::ALL.into_iter().filter(|it| it.service != table.owner) {
                let may: Vec<_> =
                    Verb::ALL.into_iter().filter(|it| table.may(principal, *it)).collect();
                assert_eq!(may, [Verb::Select], "{} {}", table.path(), principal.role());
            }
        }
    }
}
