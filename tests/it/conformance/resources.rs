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
mod mail;
mod marketplace;
pub(crate) mod needed;
mod projects;
mod research;
mod work;

pub(crate) use actions::{CoreActions, Platforms};
pub(crate) use activities::Activities;
pub(crate) use apps::{NoteFolders, Notes, SheetVersions, Sheets, WorkspaceItems};
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
pub(crate) use mail::{CalendarEvents, Emails, Messages};
pub(crate) use marketplace::{EmployeeConnections, HiredEmployees, VirtualEmployees};
pub(crate) use projects::{Projects, Tasks};
pub(crate) use research::ResearchTemplates;
pub(crate) use work::{Agents, Executions};
