//! A schema that is no longer the one of the migrations.

use super::{Kind, Plant, are_found, lasting, plant};

pub(super) const PLANTS: &[Plant] = &[
    plant(
        "alter table web.users add column nickname text",
        Kind::Drift,
        "column web.users.nickname",
    ),
    plant(
        "alter table web.users drop column last_login_at",
        Kind::Drift,
        "column web.users.last_login_at",
    ),
    plant(
        "alter table web.core_actions alter column version type bigint",
        Kind::Drift,
        "column web.core_actions.version",
    ),
    plant(
        "alter table web.users alter column active set default false",
        Kind::Drift,
        "column web.users.active",
    ),
    plant(
        "alter table web.users alter column name drop not null",
        Kind::Drift,
        "column web.users.name",
    ),
    plant(
        "alter table web.users drop constraint users_email_check",
        Kind::Drift,
        "constraint users_email_check on web.users",
    ),
    plant(
        "alter table web.users drop constraint users_name_check, add constraint users_name_check check (name <> '')",
        Kind::Drift,
        "constraint users_name_check on web.users",
    ),
    plant(
        "alter table web.users add constraint users_short_check check (char_length(name) < 10)",
        Kind::Drift,
        "constraint users_short_check on web.users",
    ),
    plant("drop index web.users_email_key", Kind::Drift, "index users_email_key on web.users"),
    plant(
        "drop index web.users_email_key; create unique index users_email_key on web.users (email)",
        Kind::Drift,
        "index users_email_key on web.users",
    ),
    plant(
        "create index users_by_name on web.users (name)",
        Kind::Drift,
        "index users_by_name on web.users",
    ),
    plant(
        "drop trigger touch_updated_at on web.users",
        Kind::Drift,
        "trigger touch_updated_at on web.users",
    ),
    plant(
        "create or replace trigger touch_updated_at before update on web.users for each row when (false)
         execute function freehold.touch_updated_at()",
        Kind::Drift,
        "trigger touch_updated_at on web.users",
    ),
    plant(
        "alter table web.users disable trigger touch_updated_at",
        Kind::Drift,
        "trigger touch_updated_at on web.users",
    ),
    // Foreign keys are triggers inside: a superuser can switch them off.
    plant(
        "alter table web.api_keys disable trigger all",
        Kind::Drift,
        "constraint api_keys_user_id_fkey on web.api_keys",
    ),
    plant("alter table web.request_ids set unlogged", Kind::Drift, "table web.request_ids"),
    plant(
        "create or replace function freehold.touch_updated_at() returns trigger language plpgsql
         as 'begin return new; end'",
        Kind::Drift,
        "function freehold.touch_updated_at()",
    ),
    plant("create type web.mood as enum ('good')", Kind::Drift, "type web.mood"),
    // A label of an enum stays for ever.
    lasting("alter type web.action_kind add value 'ftp'", Kind::Drift, "type web.action_kind"),
    plant(
        "create view web.people with (security_invoker = true) as select id from web.users",
        Kind::Drift,
        "view web.people",
    ),
];

#[tokio::test]
async fn a_schema_that_drifted_is_found() {
    are_found(PLANTS).await;
}
