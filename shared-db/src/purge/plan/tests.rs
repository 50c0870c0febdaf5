//! Plans of a contract that has every kind of reference.

use super::{Key, Planner, What};
use crate::{contract::Contract, enums::PurgeSubject, scope::Service};

const CONTRACT: &str = r#"
[roles]
owner = "freehold_owner"
maintenance = "freehold_maintenance"

[web]
role = "web_app"
platform_role = "web_app_platform"

[web.tables]
blobs = { scope = "tenant", outside = true }
boards = { scope = "tenant" }
cards = { scope = "tenant" }
chats = { scope = "tenant" }
messages = { scope = "tenant", append_only = true }
notes = { scope = "tenant", users = ["reviewed_by"] }
offers = { scope = "global", organizations = ["publisher_org_id"] }
organizations = { scope = "organization" }
threads = { scope = "tenant" }
users = { scope = "user", members = "members" }
members = { scope = "tenant" }

[runtime]
role = "agent_runtime"
platform_role = "agent_runtime_platform"

[runtime.tables]
agents = { scope = "tenant" }
traces = { scope = "tenant", append_only = true, users = ["sent_by"] }
"#;

fn key(from: &str, columns: &[&str], to: &str, target_columns: &[&str], on_delete: &str) -> Key {
    let own = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect();
    Key {
        from: from.to_owned(),
        to: to.to_owned(),
        columns: own(columns),
        target_columns: own(target_columns),
        nullable: false,
        on_delete: on_delete.to_owned(),
    }
}

/// As `schema.table: what`, in the order of the plan.
fn plan(owner: Service, subject: PurgeSubject) -> Vec<String> {
    let contract = Contract::parse(CONTRACT).unwrap();
    let pair = &["org_id", "id"];
    let mut keys = vec![
        key("web.cards", &["org_id", "board_id"], "web.boards", pair, "c"),
        // A circle: each board has a first card.
        key("web.boards", &["org_id", "first_card_id"], "web.cards", pair, "n"),
        key("web.cards", &["org_id", "parent_id"], "web.cards", pair, "a"),
        // What is a user's own, what belongs to that, and what belongs to that in turn.
        key("web.chats", &["user_id"], "web.users", &["id"], "c"),
        key("web.threads", &["org_id", "chat_id"], "web.chats", pair, "c"),
        key("web.messages", &["org_id", "thread_id"], "web.threads", pair, "c"),
        key("web.members", &["user_id"], "web.users", &["id"], "c"),
        key("web.notes", &["org_id", "author_id"], "web.members", &["org_id", "user_id"], "n"),
        key("web.boards", &["owner_id"], "web.users", &["id"], "n"),
        key("web.users", &["home_org_id"], "web.organizations", &["id"], "n"),
        // Who signed stays required.
        key("web.notes", &["signed_id"], "web.users", &["id"], "a"),
        key("runtime.agents", &["keeper_id"], "web.users", &["id"], "a"),
    ];
    for table in ["boards", "cards", "chats", "messages", "notes", "threads", "members"] {
        let from = format!("web.{table}");
        keys.push(key(&from, &["org_id"], "web.organizations", &["id"], "c"));
    }
    let nullable = keys.iter_mut().find(|it| it.from == "runtime.agents").unwrap();
    nullable.nullable = true;
    let steps = Planner { contract: &contract, keys }.plan(owner, subject);
    let line = |it: &super::Step| match &it.what {
        What::Rows(condition) => format!("{}: {condition}", it.table),
        What::Awaited(condition) => format!("{}: awaits {condition}", it.table),
        What::Ids(column) => format!("{}: {column}", it.table),
    };
    steps.iter().map(line).collect()
}

fn place(plan: &[String], line: &str) -> usize {
    plan.iter().position(|it| it == line).unwrap_or_else(|| panic!("{line}: not in {plan:#?}"))
}

#[test]
fn the_rows_of_an_organization_go_children_first_and_it_goes_last() {
    let plan = plan(Service::Web, PurgeSubject::Organization);
    let of = |table: &str| place(&plan, &format!("web.{table}: org_id = $1"));
    assert!(of("cards") < of("boards"), "the circle is broken where rows stay: {plan:#?}");
    assert!(of("messages") < of("threads") && of("threads") < of("chats"), "{plan:#?}");
    assert!(of("notes") < of("members"), "{plan:#?}");
    let last = plan.len() - 1;
    assert_eq!(place(&plan, "web.organizations: id = $1"), last);
    assert!(place(&plan, "web.blobs: awaits org_id = $1") < last);
    assert!(of("boards") < place(&plan, "web.offers: publisher_org_id"));
    assert!(place(&plan, "web.users: home_org_id") < last);
    assert!(plan.iter().all(|it| it.starts_with("web.")), "{plan:#?}");
}

#[test]
fn with_a_user_goes_what_belongs_to_it_and_what_belongs_to_that() {
    let plan = plan(Service::Web, PurgeSubject::User);
    let chats = place(&plan, "web.chats: user_id = $1");
    let threads =
        "web.threads: (org_id, chat_id) in (select org_id, id from web.chats where user_id = $1)";
    assert!(place(&plan, threads) < chats);
    // Nobody deletes from what is append-only: it goes by its foreign key.
    assert!(!plan.iter().any(|it| it.starts_with("web.messages")), "{plan:#?}");
    for line in ["web.members: user_id = $1", "web.notes: signed_id = $1"] {
        place(&plan, line);
    }
    for line in ["web.boards: owner_id", "web.notes: reviewed_by"] {
        assert!(chats < place(&plan, line));
    }
    // A note that loses its author stays.
    assert!(!plan.iter().any(|it| it.contains("author_id")), "{plan:#?}");
    assert_eq!(place(&plan, "web.users: id = $1"), plan.len() - 1);
}

#[test]
fn the_other_owner_empties_what_it_keeps_of_a_user() {
    let plan = plan(Service::Runtime, PurgeSubject::User);
    assert_eq!(plan, ["runtime.agents: keeper_id", "runtime.traces: sent_by"]);
}
