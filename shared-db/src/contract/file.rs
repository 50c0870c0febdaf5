//! `ownership.toml` as it is written. An attribute that nobody knows is refused: a misspelt one would protect nothing.

use super::{Retention, RowScope, Table};
use crate::scope::Service;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) roles: Roles,
    pub(super) web: Section,
    pub(super) runtime: Section,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Roles {
    pub(super) owner: String,
    pub(super) maintenance: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Section {
    pub(super) role: String,
    pub(super) platform_role: String,
    pub(super) tables: BTreeMap<String, Line>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    scope: RowScope,
    #[serde(default)]
    append_only: bool,
    #[serde(default)]
    secret: Vec<String>,
    #[serde(default)]
    cross_tenant: Vec<String>,
    #[serde(default)]
    users: Vec<String>,
    #[serde(default)]
    organizations: Vec<String>,
    #[serde(default)]
    outside: bool,
    members: Option<String>,
    retention: Option<Retention>,
    #[serde(default)]
    maintained: bool,
}

impl Line {
    pub(super) fn named(self, owner: Service, name: String) -> Table {
        Table {
            owner,
            schema: owner.schema(),
            name,
            scope: self.scope,
            append_only: self.append_only,
            secret: self.secret,
            cross_tenant: self.cross_tenant,
            users: self.users,
            organizations: self.organizations,
            outside: self.outside,
            members: self.members,
            retention: self.retention,
            maintained: self.maintained,
        }
    }
}
