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

/// What is seeded is what callers could have written: each action is taken again, under another name.
#[tokio::test]
async fn what_is_on_offer_from_the_beginning_is_there_and_valid() {
    let stack = Stack::start().await;
    let mut conn = PgConnection::connect(&stack.database.owner_url()).await.unwrap();
    for _ in 0..2 {
        seed::run(&mut conn, None).await.unwrap();
    }
    let seeded = seed::run(&mut conn, None).await.unwrap();
    let key = seeded.new_key.unwrap();
    let owner = stack.platform().with_identity(As::key(key.expose_secret()));
    let list = async |service: &str, plural: &str, field: &str| -> Vec<Value> {
        let method = format!("{service}/List{plural}");
        let list = owner.call(&method, json!({ "page_size": 1000 })).await.unwrap();
        list[field].as_array().unwrap().clone()
    };
    let connectors =
        list("CatalogIntegrationService", "CatalogIntegrations", "catalog_integrations").await;
    assert_eq!(connectors.len(), 9);
    let tiers = list("SubscriptionTierService", "SubscriptionTiers", "subscription_tiers").await;
    let pro = tiers.iter().find(|it| it["slug"] == "pro").unwrap();
    let sold = (&pro["monthly_credits"], &pro["concurrent_runs_max"], &pro["price_usd_monthly"]);
    assert_eq!((tiers.len(), sold), (4, (&json!("1000"), &json!(3), &json!("19"))));
    assert_eq!(list("CreditPriceService", "CreditPrices", "credit_prices").await.len(), 13);
    let actions = list("CoreActionService", "CoreActions", "core_actions").await;
    assert_eq!(actions.len(), 12);
    for action in actions {
        again(&owner, action).await;
    }
}

async fn again(owner: &Caller, mut action: Value) {
    action["slug"] = json!(format!("{}-again", action["slug"].as_str().unwrap()));
    let request = json!({ "core_action": action });
    let made = owner.call("CoreActionService/CreateCoreAction", request).await;
    made.unwrap_or_else(|status| panic!("{action:#}: {status:?}"));
}
