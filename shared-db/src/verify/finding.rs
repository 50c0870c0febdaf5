//! What verify says: a kind that programs match on, the object, why it matters, and the statement that mends it.

use serde::{Serialize, Serializer};
use std::fmt;

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal)*) => {
        /// What is wrong. The text forms are stable: programs and runbooks match on them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Kind { $($(#[$doc])* $name),* }

        impl Kind {
            pub const ALL: &[Self] = &[$(Self::$name),*];

            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $text),* }
            }
        }
    };
}

kinds! {
    /// One of the five roles does not exist.
    RoleMissing = "role-missing"
    /// Superuser, BYPASSRLS, CREATEROLE, CREATEDB, REPLICATION, INHERIT, or LOGIN of a platform role.
    RoleAttribute = "role-attribute"
    /// A role of a service is a member of something other than its platform role.
    Membership = "membership"
    /// A role or database sets what only a transaction may.
    RoleSetting = "role-setting"
    /// A role of a service may change a parameter of the server.
    ParameterPrivilege = "parameter-privilege"
    /// An object of the boundary does not belong to `freehold_owner`, or a service owns one.
    Ownership = "ownership"
    /// A table that the contract does not name.
    TableExtra = "table-extra"
    /// A table that the contract names and that does not exist.
    TableMissing = "table-missing"
    /// A column that names users or organizations, and the contract does not say so: a purge would leave it.
    UndeclaredId = "undeclared-id"
    /// A tenant table without `org_id not null`.
    OrgId = "org-id"
    /// A partition or child that can be reached without its root's row-level security.
    Partition = "partition"
    /// A verb on a table that the contract forbids.
    TablePrivilege = "table-privilege"
    /// A verb on single columns that the contract forbids.
    ColumnPrivilege = "column-privilege"
    /// The other service can read a secret column.
    SecretReadable = "secret-readable"
    /// A service may hand its privileges on.
    GrantOption = "grant-option"
    /// A privilege that the contract gives is not there.
    PrivilegeMissing = "privilege-missing"
    /// A role that is no service's may write.
    OtherWriter = "other-writer"
    /// A service may use or set a sequence.
    SequencePrivilege = "sequence-privilege"
    /// A service may make objects in a schema.
    SchemaCreate = "schema-create"
    /// A service may make schemas.
    DatabaseCreate = "database-create"
    /// Future objects would be given away.
    DefaultPrivilege = "default-privilege"
    /// A foreign key that acts across owners.
    CrossOwnerAction = "cross-owner-action"
    /// A foreign key of a tenant table that can point at another tenant's row.
    TenantKey = "tenant-key"
    /// A view that reads tables with the rights of its owner.
    ViewWithoutInvoker = "view-without-invoker"
    /// A view through which a service may write.
    UpdatableView = "updatable-view"
    /// A copy of rows that row-level security does not cover.
    MaterializedView = "materialized-view"
    /// A rule that turns one statement into another.
    Rule = "rule"
    /// A function that runs with the rights of its owner and that a service may call.
    SecurityDefiner = "security-definer"
    /// A trigger that the boundary did not make.
    Trigger = "trigger"
    /// Row-level security is off.
    RowSecurityOff = "row-security-off"
    /// Row-level security does not hold for the owner.
    RowSecurityNotForced = "row-security-not-forced"
    /// A verb that the contract allows has no policy.
    PolicyMissing = "policy-missing"
    /// A policy that the contract does not generate.
    PolicyExtra = "policy-extra"
    /// A policy that says something else than the contract.
    PolicyChanged = "policy-changed"
    /// Columns, constraints, indexes, triggers, types, functions or views that are not those of `schema.sql`.
    Drift = "drift"
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// One thing that is not as it has to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    pub kind: Kind,
    /// Its name, as SQL says it.
    pub object: String,
    pub why: String,
    /// One or more statements, for a superuser or the owner.
    pub mend: String,
}

impl Finding {
    pub(super) fn new(
        kind: Kind,
        object: impl Into<String>,
        why: impl Into<String>,
        mend: impl Into<String>,
    ) -> Self {
        Self { kind, object: object.into(), why: why.into(), mend: mend.into() }
    }
}

/// One line.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mend = self.mend.split_whitespace().collect::<Vec<_>>().join(" ");
        write!(f, "{}  {}  {}  mend: {mend};", self.kind, self.object, self.why)
    }
}
