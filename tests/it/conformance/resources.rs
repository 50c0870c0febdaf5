//! The resources of the contract, as the laws see them.

mod actions;
mod activities;
mod apps;
mod billing;
mod files;
mod finance;
mod fruits;
mod identity;
mod integrations;
mod marketplace;
pub(crate) mod needed;
mod research;
mod work;

pub(crate) use actions::{CoreActions, Platforms};
pub(crate) use activities::Activities;
pub(crate) use apps::{
    CalendarEvents, Emails, Messages, NoteFolders, Notes, Projects, SheetVersions, Sheets, Tasks,
    WorkspaceItems,
};
pub(crate) use billing::{
    CreditPrices, LicenseSections, Licenses, SubscriptionTiers, Subscriptions,
};
pub(crate) use files::{FileFolders, Files};
pub(crate) use finance::{
    BankAccounts, BrokerageConnections, Holdings, Portfolios, Positions, Transactions,
    WalletConnections,
};
pub(crate) use fruits::{DeadLetters, InputRequests, WorkflowData};
pub(crate) use identity::{ApiKeys, Members, Organizations, Users};
pub(crate) use integrations::{CatalogIntegrations, Installations, Integrations};
pub(crate) use marketplace::{EmployeeConnections, HiredEmployees, VirtualEmployees};
pub(crate) use research::ResearchTemplates;
pub(crate) use work::{Agents, Executions};
