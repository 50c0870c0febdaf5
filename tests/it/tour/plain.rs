//! The plain resources: each is made, read, listed, changed and deleted once, and one is left.

use super::{Tour, Visitor};
use crate::conformance::{
    resource::Resource,
    resources::{
        BankAccounts, BrokerageConnections, CalendarEvents, CatalogIntegrations, CreditPrices,
        Emails, EmployeeConnections, HiredEmployees, Holdings, Installations, Integrations,
        LicenseSections, Licenses, Messages, NoteFolders, Notes, Portfolios, Positions, Projects,
        ResearchTemplates, SheetVersions, Sheets, SubscriptionTiers, Subscriptions, Tasks,
        Transactions, VirtualEmployees, WalletConnections, WorkspaceItems,
    },
    words::snake,
};
use freehold_tests::client::Api;
use serde_json::{Value, json};

macro_rules! each {
    ($tour:ident, $visitor:ident: $($resource:ident)*) => {
        $( walk_one::<$resource>($tour, $visitor).await; )*
    };
}

pub(super) async fn walk(tour: &Tour, visitor: &mut impl Visitor) {
    each!(tour, visitor:
        VirtualEmployees
        HiredEmployees
        EmployeeConnections
        NoteFolders
        Notes
        Projects
        Tasks
        Messages
        CalendarEvents
        Emails
        Sheets
        SheetVersions
        WorkspaceItems
        BankAccounts
        Transactions
        BrokerageConnections
        Portfolios
        Holdings
        Positions
        WalletConnections
        CatalogIntegrations
        Installations
        Integrations
        SubscriptionTiers
        Subscriptions
        CreditPrices
        Licenses
        LicenseSections
        ResearchTemplates
    );
    special(tour, visitor).await;
}

fn knows(method: &str) -> bool {
    let (service, name) = method.split_once('/').expect("a service and a method");
    Api::Web.methods().any(|it| it.name() == name && it.parent_service().name() == service)
}

async fn walk_one<R: Resource>(tour: &Tour, visitor: &mut impl Visitor) {
    let given = R::prepare(&tour.stack, &tour.org).await;
    // Some are the same for all organizations, and two tours may go through one database.
    let draft =
        |number| R::create_request(R::draft(&given, &format!("{}-{number}", tour.org.slug)));
    let method = |verb: &str, noun: &str| format!("{}Service/{verb}{noun}", R::KIND);
    let made = tour.web(visitor, &R::creator(), draft(0)).await;
    let id = json!({ "id": made["id"] });
    tour.web(visitor, &method("Get", R::KIND), id.clone()).await;
    tour.web(visitor, &method("List", R::PLURAL), R::list_scope(&given)).await;
    let batch = method("BatchGet", R::PLURAL);
    if knows(&batch) {
        tour.web(visitor, &batch, json!({ "ids": [made["id"]] })).await;
    }
    if let Some((field, value)) = R::changes(&given).as_object().and_then(|it| it.iter().next()) {
        let changed = json!({ "id": made["id"], field: value });
        let request = json!({ snake(R::KIND): changed, "update_mask": [field] });
        tour.web(visitor, &method("Update", R::KIND), request).await;
    }
    let delete = method("Delete", R::KIND);
    if !knows(&delete) {
        return;
    }
    tour.web(visitor, &delete, id.clone()).await;
    let undelete = method("Undelete", R::KIND);
    if knows(&undelete) {
        tour.web(visitor, &undelete, id).await;
    }
    // One stays, for those who look for rows.
    tour.again(&R::creator(), draft(1)).await;
}

/// The methods that only some have.
async fn special(tour: &Tour, visitor: &mut impl Visitor) {
    let message = json!({ "message": { "body": "Are you there?" } });
    let message = tour.again("MessageService/CreateMessage", message).await;
    let mark = json!({ "ids": [message["id"]], "read": true });
    tour.web(visitor, "MessageService/MarkMessages", mark).await;

    let sheet =
        tour.again("SheetService/CreateSheet", json!({ "sheet": { "name": "Sums" } })).await;
    let version = json!({ "sheet_id": sheet["id"], "content": { "cells": [] } });
    tour.again("SheetVersionService/CreateSheetVersion", version).await;
    let restore = json!({ "sheet_id": sheet["id"], "version": 1 });
    tour.web(visitor, "SheetVersionService/RestoreSheetVersion", restore).await;

    hired(tour, visitor).await;
    installed(tour, visitor).await;
}

async fn hired(tour: &Tour, visitor: &mut impl Visitor) {
    let given = HiredEmployees::prepare(&tour.stack, &tour.org).await;
    let hire = HiredEmployees::draft(&given, "tour-upgraded");
    let hired = tour.again("HiredEmployeeService/HireEmployee", hire).await;
    let raised = json!({ "id": given["offer"], "price_usd_monthly": "50" });
    let raised = json!({ "virtual_employee": raised, "update_mask": ["price_usd_monthly"] });
    let offer = tour.again("VirtualEmployeeService/UpdateVirtualEmployee", raised).await;
    let preview = json!({ "id": hired["id"] });
    tour.web(visitor, "HiredEmployeeService/PreviewEmployeeUpgrade", preview).await;
    let upgrade = json!({ "id": hired["id"], "to_version": offer["version"] });
    tour.web(visitor, "HiredEmployeeService/UpgradeEmployee", upgrade).await;
}

async fn installed(tour: &Tour, visitor: &mut impl Visitor) {
    let given = Installations::prepare(&tour.stack, &tour.org).await;
    let install = async |number: usize| -> Value {
        let install = Installations::draft(&given, &format!("tour-{number}"));
        tour.again("InstallationService/InstallIntegration", install).await
    };
    let (kept, gone) = (install(0).await, install(1).await);
    let preview = json!({ "id": kept["id"] });
    tour.web(visitor, "InstallationService/PreviewInstallationUpgrade", preview).await;
    let upgrade = json!({ "id": kept["id"], "to_version": kept["version"] });
    tour.web(visitor, "InstallationService/UpgradeInstallation", upgrade).await;
    let gone = json!({ "id": gone["id"] });
    tour.web(visitor, "InstallationService/UninstallIntegration", gone).await;
}
