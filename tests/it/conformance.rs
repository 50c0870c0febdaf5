//! The laws that every resource obeys, over gRPC and under the service's own database role.
//!
//! One line a resource names the groups of laws that fit it. Which fields are required, immutable, output-only and how long
//! they may be is read from the contract, so that a new field is held to it from the day it is declared.

mod laws;
pub(crate) mod resource;
pub(crate) mod resources;
pub(crate) mod words;

use freehold_tests::client::Api;
use std::collections::BTreeSet;

/// Writes one test for each law of each group.
macro_rules! conformance {
    ($($module:ident: $resource:ident [$($group:ident)*];)*) => {
        /// Those that the laws are asked of.
        const HELD: &[&str] = &[$(<resources::$resource as resource::Resource>::KIND),*];

        $(
        mod $module {
            use super::resources::$resource;
            $( laws!($group $resource); )*
        }
        )*
    };
}

macro_rules! laws {
    (reads $resource:ident) => {
        law_tests! { reads $resource:
            a_created_one_reads_back,
            an_unknown_id_is_not_found,
            a_malformed_id_is_named,
        }
    };
    (lists $resource:ident) => {
        law_tests! { lists $resource:
            pages_have_no_gaps_and_no_repeats,
            what_is_created_while_paging_shifts_nothing,
            page_sizes_have_bounds,
            a_page_token_is_bound_to_its_list,
        }
        law_tests! { filters $resource:
            no_filter_is_left_out,
            each_filter_lets_through_what_it_says,
            a_range_of_time_has_its_beginning_and_not_its_end,
        }
        law_tests! { orders $resource:
            each_order_is_kept_over_all_pages,
        }
    };
    (creates $resource:ident) => {
        law_tests! { creates $resource:
            a_required_field_is_named_when_it_is_missing,
            a_text_that_is_too_long_is_named,
            a_text_is_stored_as_it_is,
            a_null_character_is_refused_by_name,
            what_only_the_service_sets_is_ignored,
        }
    };
    (duplicates $resource:ident) => {
        law_tests! { creates $resource:
            a_duplicate_already_exists,
        }
    };
    (updates $resource:ident) => {
        law_tests! { updates $resource:
            the_changes_cover_every_field_that_may_change,
            only_fields_that_the_mask_names_change,
            without_a_mask_all_fields_change,
            a_mask_may_not_name_what_callers_do_not_set,
            a_required_field_can_not_be_emptied,
            an_update_of_an_unknown_one_is_not_found,
        }
    };
    (etags $resource:ident) => {
        law_tests! { etags $resource:
            an_old_etag_changes_nothing,
            the_newest_etag_is_taken,
            an_update_makes_a_new_etag,
        }
    };
    (deletes $resource:ident) => {
        law_tests! { deletes $resource:
            a_deleted_one_is_gone,
            a_malformed_id_can_not_be_deleted,
        }
    };
    (undeletes $resource:ident) => {
        law_tests! { deletes $resource:
            what_was_deleted_comes_back_as_it_was,
            what_is_deleted_is_shown_when_asked_for,
        }
    };
    (private $resource:ident) => {
        law_tests! { private $resource:
            another_user_of_the_organization_learns_nothing,
            statements_alone_keep_users_apart,
            whoever_acts_for_nobody_is_refused,
        }
    };
    (delete_etags $resource:ident) => {
        law_tests! { etags $resource:
            an_old_etag_deletes_nothing,
        }
    };
    (tenants $resource:ident) => {
        law_tests! { tenants $resource:
            another_organization_learns_nothing,
            another_organization_does_not_see_it_in_lists,
            statements_alone_keep_organizations_apart,
        }
    };
    (roles $resource:ident) => {
        law_tests! { roles $resource:
            nobody_in_particular_is_refused,
            a_viewer_changes_nothing,
        }
    };
    (request_ids $resource:ident) => {
        law_tests! { request_ids $resource:
            the_same_request_is_answered_once,
            another_payload_under_a_request_id_is_refused,
            two_at_once_make_one,
        }
    };
}

macro_rules! law_tests {
    ($group:ident $resource:ident: $($law:ident,)*) => {$(
        #[tokio::test]
        async fn $law() {
            crate::conformance::laws::$group::$law::<$resource>().await;
        }
    )*};
}

// What is left out, and why:
// - organizations, users, platforms are no tenant's rows (the first two have a visibility of their own, in web/identity), and
//   viewers do change one thing of theirs: themselves;
// - members are removed without an etag; a key is never changed, only revoked, and its name need not be unique;
// - executions are changed by what they do: they have no masks, no etags, and are cancelled instead of deleted;
// - several files may have the same name;
// - hired employees and installations come of an offer and versions of sheets of a sheet, by methods of their own (web/marketplace,
//   web/integrations, web/apps); an installation is taken away by one as well;
// - messages are not changed but for who has read them, and subscriptions are ended, not deleted;
// - prices are never changed or deleted: the next version follows;
// - questions, dead letters and data come of what executions do (web/agents): questions are answered, data is never changed and is named by
//   its execution as well, and dead letters are no more than a list;
// - activities are written by what they tell of, nothing changes or removes them, and viewers do not read them (web/identity).
conformance! {
    organizations: Organizations [reads lists creates duplicates updates etags deletes delete_etags];
    core_actions: CoreActions [reads lists creates duplicates updates etags deletes delete_etags tenants roles];
    agents: Agents [reads lists creates duplicates updates etags deletes delete_etags tenants roles request_ids];
    platforms: Platforms [reads lists creates duplicates updates etags deletes delete_etags roles];
    users: Users [reads lists creates duplicates updates etags];
    members: Members [reads lists creates duplicates updates etags deletes tenants roles];
    activities: Activities [reads lists tenants];
    file_folders: FileFolders [reads lists creates duplicates updates etags deletes delete_etags tenants roles];
    files: Files [reads lists creates updates etags deletes delete_etags tenants roles undeletes];
    api_keys: ApiKeys [reads lists creates tenants roles];
    virtual_employees: VirtualEmployees [reads lists creates duplicates updates etags deletes delete_etags roles];
    hired_employees: HiredEmployees [reads lists updates etags deletes delete_etags tenants roles request_ids];
    employee_connections: EmployeeConnections [reads lists creates duplicates updates etags deletes delete_etags tenants roles];
    note_folders: NoteFolders [reads lists creates duplicates updates etags deletes delete_etags tenants roles];
    notes: Notes [reads lists creates updates etags deletes delete_etags tenants roles undeletes];
    projects: Projects [reads lists creates updates etags deletes delete_etags tenants roles];
    tasks: Tasks [reads lists creates updates etags deletes delete_etags tenants roles undeletes];
    messages: Messages [reads lists creates deletes tenants roles];
    calendar_events: CalendarEvents [reads lists creates updates etags deletes delete_etags tenants roles];
    emails: Emails [reads lists creates duplicates updates etags deletes delete_etags tenants private];
    sheets: Sheets [reads lists creates updates etags deletes delete_etags tenants roles undeletes];
    sheet_versions: SheetVersions [reads lists tenants];
    workspace_items: WorkspaceItems [reads lists creates updates etags deletes delete_etags tenants roles];
    bank_accounts: BankAccounts [reads lists creates updates etags deletes delete_etags tenants private];
    transactions: Transactions [reads lists creates updates etags deletes delete_etags tenants private];
    brokerage_connections: BrokerageConnections [reads lists creates updates etags deletes delete_etags tenants private];
    portfolios: Portfolios [reads lists creates updates etags deletes delete_etags tenants private];
    holdings: Holdings [reads lists creates duplicates updates etags deletes delete_etags tenants private];
    positions: Positions [reads lists creates updates etags deletes delete_etags tenants private];
    wallet_connections: WalletConnections [reads lists creates duplicates updates etags deletes delete_etags tenants private];
    catalog_integrations: CatalogIntegrations [reads lists creates duplicates updates etags deletes delete_etags roles];
    installations: Installations [reads lists tenants request_ids];
    integrations: Integrations [reads lists creates duplicates updates etags deletes delete_etags tenants roles];
    subscription_tiers: SubscriptionTiers [reads lists creates duplicates updates etags deletes delete_etags roles];
    subscriptions: Subscriptions [reads lists creates updates etags tenants roles];
    credit_prices: CreditPrices [reads lists creates roles];
    licenses: Licenses [reads lists creates updates etags deletes delete_etags tenants roles];
    license_sections: LicenseSections [reads lists creates duplicates updates etags deletes delete_etags tenants roles];
    research_templates: ResearchTemplates [reads lists creates duplicates updates etags deletes delete_etags tenants roles];
    executions: Executions [reads lists creates tenants roles request_ids];
    input_requests: InputRequests [reads lists tenants];
    dead_letters: DeadLetters [lists tenants];
    workflow_data: WorkflowData [lists tenants];
}

/// Resources that the laws are not asked of, and why. It may only shrink.
const EXCEPTIONS: &[(&str, &str)] = &[(
    "Purge",
    "is the platform's, made by what erases, and never changed by callers: web/identity/purges",
)];

/// Whatever callers can get or list.
#[test]
fn no_resource_is_left_out() {
    let kinds = Api::Web.methods().filter_map(|it| {
        let service = it.parent_service().name().to_owned();
        let kind = service.strip_suffix("Service")?;
        let is_read = it.name().starts_with("List") || it.name() == format!("Get{kind}");
        is_read.then(|| kind.to_owned())
    });
    let left: BTreeSet<_> = kinds.filter(|it| !HELD.contains(&it.as_str())).collect();
    assert_eq!(left, EXCEPTIONS.iter().map(|it| it.0.to_owned()).collect());
}
