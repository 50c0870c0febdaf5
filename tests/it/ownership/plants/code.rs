//! Views, rules, functions and triggers: code that acts with somebody else's rights.

use super::{Kind, Plant, are_found, lasting, plant};

pub(super) const PLANTS: &[Plant] = &[
    plant(
        "create view public.all_keys as select * from web.api_keys",
        Kind::ViewWithoutInvoker,
        "public.all_keys",
    ),
    plant(
        "create view public.inner_view with (security_invoker = true) as select * from web.api_keys;
         create view public.outer_view as select * from public.inner_view",
        Kind::ViewWithoutInvoker,
        "public.outer_view",
    ),
    plant(
        "create view public.agent_slugs as select org_id, id, slug from runtime.agents;
         grant select, update on public.agent_slugs to web_app",
        Kind::UpdatableView,
        "public.agent_slugs",
    ),
    plant(
        "create view public.agent_slugs with (security_invoker = true) as select org_id, id, slug from runtime.agents;
         grant update (slug) on public.agent_slugs to public",
        Kind::UpdatableView,
        "public.agent_slugs",
    ),
    plant(
        "create view public.agent_count as select count(*) as n from runtime.agents;
         create function public.instead() returns trigger language plpgsql as 'begin return new; end';
         create trigger instead instead of insert on public.agent_count for each row execute function public.instead();
         grant insert on public.agent_count to web_app_platform",
        Kind::UpdatableView,
        "public.agent_count",
    ),
    plant(
        "create materialized view public.users_copy as select * from web.users",
        Kind::MaterializedView,
        "public.users_copy",
    ),
    plant(
        "create rule quiet as on delete to runtime.agents do instead nothing",
        Kind::Rule,
        "quiet on runtime.agents",
    ),
    plant(
        "create rule copy as on update to web.users do also delete from runtime.execution_queue",
        Kind::Rule,
        "copy on web.users",
    ),
    plant(
        "grant execute on function freehold.make_partitions to agent_runtime",
        Kind::SecurityDefiner,
        "freehold.make_partitions(interval,integer,boolean)",
    ),
    plant(
        "grant execute on function freehold.drop_rows to public",
        Kind::SecurityDefiner,
        "freehold.drop_rows(text,interval,integer,boolean)",
    ),
    plant(
        "create role stranger; grant execute on function freehold.drop_partitions to stranger",
        Kind::SecurityDefiner,
        "freehold.drop_partitions(text,interval,integer,boolean)",
    ),
    plant(
        "grant execute on function freehold.make_partition to freehold_maintenance",
        Kind::SecurityDefiner,
        "freehold.make_partition(regclass,timestamp with time zone,text)",
    ),
    plant(
        "grant execute on function freehold.drop_rows to freehold_maintenance with grant option",
        Kind::GrantOption,
        "freehold.drop_rows(text,interval,integer,boolean)",
    ),
    // The holes in append-only are for one role each.
    plant(
        "grant execute on function freehold.purge_runtime_rows to web_app_platform",
        Kind::SecurityDefiner,
        "freehold.purge_runtime_rows(text,uuid,integer)",
    ),
    plant(
        "grant execute on function freehold.purge_web_ids to public",
        Kind::SecurityDefiner,
        "freehold.purge_web_ids(text,text,uuid,text[],integer)",
    ),
    plant(
        "grant execute on function freehold.purge_web_rows to web_app",
        Kind::SecurityDefiner,
        "freehold.purge_web_rows(text,uuid,integer)",
    ),
    plant(
        "grant execute on function freehold.purge_runtime_ids to freehold_maintenance",
        Kind::SecurityDefiner,
        "freehold.purge_runtime_ids(text,text,uuid,text[],integer)",
    ),
    plant(
        "revoke execute on function freehold.purge_web_rows from web_app_platform",
        Kind::PrivilegeMissing,
        "freehold.purge_web_rows(text,uuid,integer)",
    ),
    plant(
        "revoke execute on function freehold.erase_rows from agent_runtime_platform",
        Kind::PrivilegeMissing,
        "freehold.erase_rows(regclass,text,uuid,integer)",
    ),
    // To take the privilege away and to give it back are both right for as long as the function is wrong.
    lasting(
        "alter function freehold.erase_rows security definer",
        Kind::SecurityDefiner,
        "freehold.erase_rows(regclass,text,uuid,integer)",
    ),
    // Nobody was given this: PUBLIC may execute what nobody took from it.
    plant(
        "create function public.sneak() returns void language sql security definer as 'delete from runtime.agents'",
        Kind::SecurityDefiner,
        "public.sneak()",
    ),
    plant(
        "create procedure public.sneak(a integer) language sql security definer as 'delete from runtime.agents';
         revoke execute on procedure public.sneak from public;
         grant execute on procedure public.sneak to web_app_platform",
        Kind::SecurityDefiner,
        "public.sneak(integer)",
    ),
    plant(
        "create function public.spy() returns trigger language plpgsql security definer as 'begin return new; end';
         revoke execute on function public.spy() from public;
         create trigger spy after insert on web.users for each row execute function public.spy()",
        Kind::Trigger,
        "spy on web.users",
    ),
    plant(
        "create function public.spy() returns trigger language plpgsql as 'begin return new; end';
         create or replace trigger touch_updated_at before update on web.users
         for each row execute function public.spy()",
        Kind::Trigger,
        "touch_updated_at on web.users",
    ),
];

#[tokio::test]
async fn code_that_acts_with_other_rights_is_found() {
    are_found(PLANTS).await;
}
