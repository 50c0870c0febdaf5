//! One newtype for each kind of id: never a bare `Uuid` in a signature. New ids are made here and nowhere else.

use sha2::{Digest, Sha256};
use std::{fmt, str::FromStr};
use uuid::Uuid;

macro_rules! id_types {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, sqlx::Type, serde::Serialize, serde::Deserialize)]
        #[sqlx(transparent)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A fresh id (UUID v7: ordered by time, so that inserts stay at the end of their index).
            #[expect(clippy::disallowed_methods, reason = "the one place where ids are made")]
            pub fn generate() -> Self {
                Self(Uuid::now_v7())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(s: &str) -> Result<Self, Self::Err> {
                Uuid::try_parse(s).map(Self)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }
    )*};
}

id_types! {
    /// `web.organizations.id`, and every `org_id`.
    OrganizationId
    /// `web.users.id`
    UserId
    /// `web.api_keys.id`
    ApiKeyId
    /// `web.activities.id`
    ActivityId
    /// `web.app_platforms.id`
    PlatformId
    /// `web.core_actions.id`
    CoreActionId
    /// `web.file_folders.id`
    FileFolderId
    /// `web.virtual_employees.id`
    VirtualEmployeeId
    /// `web.hired_employees.id`
    HiredEmployeeId
    /// `web.employee_connections.id`
    EmployeeConnectionId
    /// `web.note_folders.id`
    NoteFolderId
    /// `web.notes.id`
    NoteId
    /// `web.projects.id`
    ProjectId
    /// `web.tasks.id`
    TaskId
    /// `web.messages.id`
    MessageId
    /// `web.calendar_events.id`
    CalendarEventId
    /// `web.emails.id`
    EmailId
    /// `web.sheets.id`
    SheetId
    /// `web.sheet_versions.id`
    SheetVersionId
    /// `web.workspace_items.id`
    WorkspaceItemId
    /// `web.bank_accounts.id`
    BankAccountId
    /// `web.transactions.id`
    TransactionId
    /// `web.brokerage_connections.id`
    BrokerageConnectionId
    /// `web.portfolios.id`
    PortfolioId
    /// `web.holdings.id`
    HoldingId
    /// `web.positions.id`
    PositionId
    /// `web.web3_wallet_connections.id`
    WalletConnectionId
    /// `web.integration_catalog.id`
    CatalogIntegrationId
    /// `web.user_installations.id`
    InstallationId
    /// `web.integrations.id`
    IntegrationId
    /// `web.subscription_tiers.id`
    SubscriptionTierId
    /// `web.subscriptions.id`
    SubscriptionId
    /// `web.credit_prices.id`
    CreditPriceId
    /// `web.licenses.id`
    LicenseId
    /// `web.license_sections.id`
    LicenseSectionId
    /// `web.research_templates.id`
    ResearchTemplateId
    /// `web.files.id`
    FileId
    /// `runtime.agents.id`
    AgentId
    /// `runtime.agent_executions.id`
    ExecutionId
    /// `runtime.execution_steps.id`
    StepId
    /// `runtime.action_executions.id`
    ActionExecutionId
    /// `runtime.input_requests.id`
    InputRequestId
    /// `web.purges.id`, and that of the runtime's part of it.
    PurgeId
    /// `runtime.execution_signals.id`
    SignalId
    /// A process of runtime-service, for as long as it lives.
    WorkerId
}

impl ExecutionId {
    /// The id of the `index`-th execution that is made under one id: the same again for the same two. It is a UUID v7 of the same
    /// moment, and ids are in the order of their indexes (up to 16,383), so that their rows lie together.
    pub fn derived(from: Uuid, index: u16) -> Self {
        let digest = Sha256::new().chain_update(from).chain_update(index.to_be_bytes()).finalize();
        let mut bytes = [0; 16];
        bytes[..6].copy_from_slice(&from.as_bytes()[..6]);
        bytes[6..].copy_from_slice(&digest[..10]);
        let [high, low] = (index >> 2).to_be_bytes();
        bytes[6] = 0x70 | (high & 0x0f);
        bytes[7] = low;
        let [_, last] = index.to_be_bytes();
        bytes[8] = 0x80 | ((last & 0x03) << 4) | (bytes[8] & 0x0f);
        Self(Uuid::from_bytes(bytes))
    }
}

/// A random tag of a row, new with each change; on the wire an opaque string.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, sqlx::Type)]
#[sqlx(transparent)]
pub struct Etag(pub Uuid);

impl Etag {
    /// The etag that an update or a delete expects; `None` when it names none. What is no etag of ours is that of no row.
    pub fn expected(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(Uuid::try_parse(text).unwrap_or_default()))
    }
}

impl fmt::Display for Etag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.simple().fmt(f)
    }
}

impl From<Uuid> for Etag {
    fn from(tag: Uuid) -> Self {
        Self(tag)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_ids_are_of_the_same_moment_in_order_and_their_own() {
        let (one, other) = (ExecutionId::generate().0, ExecutionId::generate().0);
        let ids: Vec<_> = (0..10_000).map(|it| ExecutionId::derived(one, it)).collect();
        assert!(ids.is_sorted_by(|a, b| a < b));
        assert!(
            ids.iter()
                .all(|it| it.0.get_version_num() == 7
                    && it.0.get_variant() == uuid::Variant::RFC4122)
        );
        assert!(ids.iter().all(|it| it.0.get_timestamp() == one.get_timestamp()));
        assert_eq!(ids[77], ExecutionId::derived(one, 77));
        assert_ne!(ids[77], ExecutionId::derived(other, 77));
    }
}
