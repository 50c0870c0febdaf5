//! Which rows a policy lets through, in the two forms that are needed: as we write it, and as PostgreSQL gives it back.

use super::{Principal, RowScope, Table, Verb};

/// What a row must fulfil. Verify compares [`Condition::stored`] with the catalog, so there are few and they are fixed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Every row. Platform roles have it, and readers of global tables.
    All,
    /// The column is the transaction's organization.
    Organization { column: &'static str },
    /// The row is the transaction's user.
    OwnUser,
    /// The row belongs to the transaction's user, in the transaction's organization.
    OwnRow,
    /// The row is the transaction's user, or a member of its organization.
    KnownUser { table: String, members: String },
}

/// One scalar sub-select: evaluated once a statement, not once a row.
const ORG: &str = "(select nullif(current_setting('app.current_org_id', true), '')::uuid)";
const USER: &str = "(select nullif(current_setting('app.current_user_id', true), '')::uuid)";

/// The same as `pg_get_expr` prints them, from PostgreSQL 15 to 18.
const ORG_STORED: &str = r#"( SELECT (NULLIF(current_setting('app.current_org_id'::text, true), ''::text))::uuid AS "nullif")"#;
const USER_STORED: &str = r#"( SELECT (NULLIF(current_setting('app.current_user_id'::text, true), ''::text))::uuid AS "nullif")"#;

impl Condition {
    /// As it is written in a policy.
    pub fn sql(&self) -> String {
        match self {
            Self::All => "true".to_owned(),
            Self::Organization { column } => format!("{column} = {ORG}"),
            Self::OwnUser => format!("id = {USER}"),
            Self::OwnRow => format!("org_id = {ORG} and user_id = {USER}"),
            Self::KnownUser { table, members } => format!(
                "id = {USER} or exists (select 1 from {members} m where m.org_id = {ORG} and m.user_id = {table}.id)"
            ),
        }
    }

    /// As PostgreSQL gives it back, in one line.
    pub fn stored(&self) -> String {
        match self {
            Self::All => "true".to_owned(),
            Self::Organization { column } => format!("({column} = {ORG_STORED})"),
            Self::OwnUser => format!("(id = {USER_STORED})"),
            Self::OwnRow => format!("((org_id = {ORG_STORED}) AND (user_id = {USER_STORED}))"),
            Self::KnownUser { table, members } => format!(
                "((id = {USER_STORED}) OR (EXISTS ( SELECT 1 FROM {members} m WHERE ((m.org_id = {ORG_STORED}) AND (m.user_id = {table}.id)))))"
            ),
        }
    }

    /// In one word, as the reference page has it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Organization { .. } => "org",
            Self::OwnUser => "self",
            Self::OwnRow => "own",
            Self::KnownUser { .. } => "members",
        }
    }

    /// As a person would say it.
    pub fn sentence(&self) -> &'static str {
        match self {
            Self::All => "every row",
            Self::Organization { .. } => "rows of the transaction's organization",
            Self::OwnUser => "the transaction's user",
            Self::OwnRow => "rows of the transaction's user in its organization",
            Self::KnownUser { .. } => "the transaction's user, and members of its organization",
        }
    }
}

impl Table {
    /// The rows that `principal` may touch with `verb`; `None` where it may not at all.
    pub fn condition(&self, principal: Principal, verb: Verb) -> Option<Condition> {
        if !self.may(principal, verb) {
            return None;
        }
        if principal.platform {
            return Some(Condition::All);
        }
        Some(match self.scope {
            RowScope::Tenant | RowScope::Queue => Condition::Organization { column: "org_id" },
            RowScope::Organization => Condition::Organization { column: "id" },
            RowScope::Private => Condition::OwnRow,
            RowScope::Global => Condition::All,
            RowScope::User => match (&self.members, verb) {
                (Some(members), Verb::Select) => Condition::KnownUser {
                    table: self.name.clone(),
                    members: format!("{}.{members}", self.schema),
                },
                _ => Condition::OwnUser,
            },
        })
    }
}
