//! Seeding: what a new installation is shown with.

use freehold_tests::{
    client::{As, Caller},
    database::TestDatabase,
    stack::Stack,
};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use shared_db::seed;
use sqlx::{Connection, PgConnection};
use std::collections::BTreeSet;

async fn keys(database: &TestDatabase) -> i64 {
    sqlx::query_scalar("select count(*) from web.api_keys")
        .fetch_one(&database.superuser())
        .await
        .unwrap()
}

#[tokio::test]
async fn seeding_again_makes_another_key_and_nothing_else() {
    let database = TestDatabase::create().await;
    for url in [database.superuser_url(), database.owner_url()] {
        let mut conn = PgConnection::connect(&url).await.unwrap();
        let seeded = seed::run(&mut conn, None).await.unwrap();
        assert!(seeded.new_key.unwrap().expose_secret().starts_with("fh_"));
    }
    let count =
        "select (select count(*) from web.organizations) + (select count(*) from web.users)";
    let count: i64 = sqlx::query_scalar(count).fetch_one(&database.superuser()).await.unwrap();
    assert_eq!((count, keys(&database).await), (2, 2));
}

#[tokio::test]
async fn a_given_key_is_accepted_once_and_not_shown() {
    let database = TestDatabase::create().await;
    let mut conn = PgConnection::connect(&database.owner_url()).await.unwrap();
    let key = format!("fh_abcdefGHIJ12_{}", "k".repeat(43)).into();
    for _ in 0..2 {
        assert!(seed::run(&mut conn, Some(&key)).await.unwrap().new_key.is_none());
    }
    assert_eq!(keys(&database).await, 1);
}

#[tokio::test]
async fn a_malformed_key_or_one_whose_prefix_is_taken_is_refused() {
    let database = TestDatabase::create().await;
    let mut conn = PgConnection::connect(&database.owner_url()).await.unwrap();
    let key = |prefix: &str, secret: &str| format!("fh_{prefix}_{}", secret.repeat(43)).into();
    assert!(seed::run(&mut conn, Some(&key("short", "k"))).await.is_err());
    assert_eq!(keys(&database).await, 0);
    seed::run(&mut conn, Some(&key("abcdefGHIJ12", "k"))).await.unwrap();
    let error = seed::run(&mut conn, Some(&key("abcdefGHIJ12", "m"))).await.unwrap_err();
    assert!(error.to_string().contains("prefix abcdefGHIJ12"), "{error:#}");
    assert!(!error.to_string().contains("mmm"), "{error:#}");
}

/// What `4-agent-runs-billing.md` and the list of features say: credits of one unit.
const PRICES: [(&str, &str, &str); 13] = [
    ("gpt-4-turbo.input", "1k_tokens", "0.3"),
    ("gpt-4-turbo.output", "1k_tokens", "0.6"),
    ("claude-3-opus.input", "1k_tokens", "0.45"),
    ("claude-3-opus.output", "1k_tokens", "0.9"),
    ("code.execution", "second", "0.1"),
    ("research.item", "item", "5"),
    ("image.generation", "image", "10"),
    ("browser.action", "action", "2"),
    ("connector.call", "call", "1"),
    ("mcp.call", "call", "1"),
    ("file.operation", "operation", "0"),
    ("memory.operation", "operation", "0"),
    ("human.input", "request", "0"),
];

const CONNECTORS: [&str; 9] = [
    "Figma",
    "GitHub",
    "Gmail",
    "Google Calendar",
    "Google Drive",
    "Microsoft OneDrive",
    "Notion",
    "Slack",
    "Stripe",
];

/// The owner of the demo organization, after it was seeded more than once.
async fn seeded(stack: &Stack) -> Caller {
    let mut conn = PgConnection::connect(&stack.database.owner_url()).await.unwrap();
    for _ in 0..2 {
        seed::run(&mut conn, None).await.unwrap();
    }
    let key = seed::run(&mut conn, None).await.unwrap().new_key.unwrap();
    stack.platform().with_identity(As::key(key.expose_secret()))
}

async fn list(owner: &Caller, method: &str, field: &str) -> Vec<Value> {
    let list = owner.call(method, json!({ "page_size": 1000 })).await.unwrap();
    list[field].as_array().unwrap().clone()
}

#[tokio::test]
async fn connectors_tiers_and_prices_are_those_that_were_promised() {
    let stack = Stack::start().await;
    let owner = seeded(&stack).await;
    let connectors =
        list(&owner, "CatalogIntegrationService/ListCatalogIntegrations", "catalog_integrations");
    let connectors = connectors.await;
    let names: BTreeSet<_> = connectors.iter().map(|it| it["name"].as_str().unwrap()).collect();
    assert_eq!(names, CONNECTORS.into());
    assert!(connectors.iter().all(|it| it["listed"] == true && it["platform_id"] != Value::Null));

    let order = json!({ "order_by": "position" });
    let tiers = owner.call("SubscriptionTierService/ListSubscriptionTiers", order).await.unwrap();
    let tiers: Vec<_> = tiers["subscription_tiers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            json!([
                it["name"],
                it["monthly_credits"],
                it["concurrent_runs_max"],
                it["price_usd_monthly"],
                it["listed"]
            ])
        })
        .collect();
    assert_eq!(
        json!(tiers),
        json!([
            ["Free", "100", 1, "0", true],
            ["Pro", "1000", 3, "19", true],
            ["Team", "5000", 10, "49", true],
            // Without limit, and as agreed.
            ["Enterprise", null, null, null, true],
        ])
    );

    let prices = list(&owner, "CreditPriceService/ListCreditPrices", "credit_prices").await;
    let text = |it: &Value| it.as_str().unwrap().to_owned();
    let prices: BTreeSet<_> = prices
        .iter()
        .map(|it| (text(&it["operation"]), text(&it["unit"]), text(&it["credits"])))
        .collect();
    let promised = PRICES.map(|(operation, unit, credits)| {
        (operation.to_owned(), unit.to_owned(), credits.to_owned())
    });
    assert_eq!(prices, promised.into());
}

/// What is seeded is what callers could have written: each action is taken again, under another name.
#[tokio::test]
async fn the_actions_say_what_they_take_and_give_and_may_and_cost() {
    let stack = Stack::start().await;
    let owner = seeded(&stack).await;
    let method = "CatalogIntegrationService/ListCatalogIntegrations";
    let connectors = list(&owner, method, "catalog_integrations").await;
    let actions = list(&owner, "CoreActionService/ListCoreActions", "core_actions").await;
    assert_eq!(actions.len(), 12);
    let mut shapes = BTreeSet::new();
    for action in actions {
        let slug = &action["slug"];
        assert!(action["input_schema"]["required"].is_array(), "{slug} says what it takes");
        assert!(action["output_schema"]["type"].is_string(), "{slug} says what it gives");
        assert!(action["price_credits"].is_string(), "{slug} says what it costs");
        // It may do no more than its connector asks a user for.
        let connector = connectors.iter().find(|it| it["platform_id"] == action["platform_id"]);
        let granted = connector.map(|it| &it["scopes"]).and_then(Value::as_array);
        for scope in action["scopes"].as_array().into_iter().flatten() {
            assert!(granted.unwrap().contains(scope), "{slug} asks for {scope}");
        }
        let asks = connector.is_some_and(|it| it["auth"] == "INTEGRATION_AUTH_OAUTH2");
        assert_eq!(asks, action["scopes"].as_array().is_some_and(|it| !it.is_empty()), "{slug}");
        let text = |it: &Value| it.as_str().unwrap_or_default().to_owned();
        let kind = ["mcp", "transform"].into_iter().find(|it| action[*it].is_object());
        let does = kind.map_or_else(|| text(&action["http"]["method"]), str::to_owned);
        shapes.insert((text(&action["side_effect"]), does));
        again(&owner, action).await;
    }
    let shape =
        |side_effect: &str, method: &str| (format!("SIDE_EFFECT_{side_effect}"), method.to_owned());
    for (side_effect, method) in [
        ("PURE", "GET"),
        ("PURE", "POST"),
        ("PURE", "mcp"),
        ("PURE", "transform"),
        ("IDEMPOTENT", "PUT"),
        ("IDEMPOTENT", "PATCH"),
        ("IDEMPOTENT", "POST"),
        ("AT_MOST_ONCE", "POST"),
    ] {
        assert!(shapes.contains(&shape(side_effect, method)), "{side_effect} {method}: {shapes:?}");
    }
}

async fn again(owner: &Caller, mut action: Value) {
    action["slug"] = json!(format!("{}-again", action["slug"].as_str().unwrap()));
    let request = json!({ "core_action": action });
    let made = owner.call("CoreActionService/CreateCoreAction", request).await;
    made.unwrap_or_else(|status| panic!("{action:#}: {status:?}"));
}
