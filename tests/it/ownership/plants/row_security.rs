//! Row-level security that does not hold, or holds something else.

use super::{Kind, Plant, are_found, plant};

pub(super) const PLANTS: &[Plant] = &[
    plant("alter table web.api_keys disable row level security", Kind::RowSecurityOff, "web.api_keys"),
    plant(
        "alter table web.api_keys no force row level security",
        Kind::RowSecurityNotForced,
        "web.api_keys",
    ),
    plant(
        "drop policy web_app_update on web.core_actions",
        Kind::PolicyMissing,
        "web_app_update on web.core_actions",
    ),
    plant(
        "create policy open on web.api_keys using (true)",
        Kind::PolicyExtra,
        "open on web.api_keys",
    ),
    plant(
        "create policy open on runtime.agents for select to web_app using (org_id is not null)",
        Kind::PolicyExtra,
        "open on runtime.agents",
    ),
    plant(
        "alter policy web_app_select on web.api_keys using (true)",
        Kind::PolicyChanged,
        "web_app_select on web.api_keys",
    ),
    plant(
        "alter policy web_app_insert on web.api_keys with check (true)",
        Kind::PolicyChanged,
        "web_app_insert on web.api_keys",
    ),
    plant(
        "alter policy web_app_platform_select on web.api_keys to public",
        Kind::PolicyChanged,
        "web_app_platform_select on web.api_keys",
    ),
    // An organization that nobody set must not become one that is.
    plant(
        "alter policy web_app_select on web.api_keys
         using (org_id = coalesce((select nullif(current_setting('app.current_org_id', true), '')::uuid), org_id))",
        Kind::PolicyChanged,
        "web_app_select on web.api_keys",
    ),
    plant(
        "drop policy web_app_select on web.users; create policy web_app_select on web.users for all to web_app using (true)",
        Kind::PolicyChanged,
        "web_app_select on web.users",
    ),
];

#[tokio::test]
async fn row_security_that_does_not_hold_is_found() {
    are_found(PLANTS).await;
}
