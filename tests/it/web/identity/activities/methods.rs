//! Every method that changes something leaves a line in the trail of an organization, or is known not to.

use crate::tour::{Step, Tour, Visitor};
use freehold_tests::client::Api;
use std::collections::BTreeSet;

/// Names of methods that only read begin so.
const READS: [&str; 9] =
    ["Get", "List", "BatchGet", "Watch", "Wait", "Explain", "Preview", "Count", "Download"];

/// Methods that leave no line, and why. This list may only shrink.
const UNTOLD: &[(&str, &str)] = &[
    (
        "OrganizationService/DeleteOrganization",
        "the trail goes with the organization; the log has it",
    ),
    (
        "OrganizationService/PurgeOrganization",
        "the trail goes with the organization; the log has it",
    ),
    (
        "UserService/DeactivateUser",
        "the tour's user is of no organization; that members' are told is shown beside this",
    ),
    (
        "UserService/ReactivateUser",
        "the tour's user is of no organization; that members' are told is shown beside this",
    ),
];

/// Looks at the trail before and after each call.
#[derive(Default)]
struct Auditor {
    before: i64,
    told: BTreeSet<String>,
    untold: BTreeSet<String>,
}

/// Lines of a method in all trails.
async fn lines(tour: &Tour, step: &Step) -> i64 {
    let action = step.name.rsplit('/').next().expect("a method has a name");
    sqlx::query_scalar("select count(*) from web.activities where action = $1")
        .bind(action)
        .fetch_one(&tour.stack.database.superuser())
        .await
        .unwrap()
}

fn changes(step: &Step) -> bool {
    let action = step.name.rsplit('/').next().expect("a method has a name");
    step.caller.api == Api::Web && !READS.iter().any(|it| action.starts_with(it))
}

impl Visitor for Auditor {
    async fn before(&mut self, tour: &Tour, step: &Step) {
        if changes(step) {
            self.before = lines(tour, step).await;
        }
    }

    async fn after(&mut self, tour: &Tour, step: &Step) {
        if changes(step) {
            let told = self.before < lines(tour, step).await;
            let methods = if told { &mut self.told } else { &mut self.untold };
            methods.insert(step.name.clone());
        }
    }
}

#[tokio::test]
async fn every_method_that_changes_something_is_in_the_trail() {
    let mut auditor = Auditor::default();
    Tour::go(&mut auditor).await;
    let known: BTreeSet<_> = UNTOLD.iter().map(|it| it.0.to_owned()).collect();
    assert_eq!(auditor.untold, known, "without a line");
    assert!(60 < auditor.told.len(), "{:?}", auditor.told);
}
