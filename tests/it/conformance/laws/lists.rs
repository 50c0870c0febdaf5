//! Lists: pages, their bounds and their tokens.

use super::assert_names;
use crate::conformance::{
    resource::{Resource, World},
    words::merged,
};
use freehold_tests::errors::assert_fails;
use serde_json::{Value, json};
use shared_db::error::Reason;
use tonic::Code;

/// All pages of `size` of what `request` lists, beginning with the page under `token`.
pub(super) async fn pages<R: Resource>(
    world: &World<R>,
    request: &Value,
    size: i32,
    mut token: String,
) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let page = json!({ "page_size": size, "page_token": token });
        let (items, next) = world.list(merged(request.clone(), page)).await.unwrap();
        assert!(items.len() <= usize::try_from(size).unwrap());
        all.extend(items);
        token = next;
        if token.is_empty() {
            return all;
        }
    }
}

async fn ids<R: Resource>(world: &World<R>, size: i32, token: String) -> Vec<String> {
    let all = pages(world, &json!({}), size, token).await;
    all.iter().map(|it| World::<R>::id(it).to_owned()).collect()
}

/// A world with so many more than there are before the test makes anything, since an organization has members from the beginning; and the
/// ids of all, in the order of the list.
async fn world_with<R: Resource>(count: usize) -> (World<R>, Vec<String>) {
    let world = World::<R>::alone().await;
    let before = ids(&world, 1000, String::new()).await;
    let mut made = Vec::new();
    for _ in 0..count {
        made.push(World::<R>::id(&world.create().await).to_owned());
    }
    if R::OLDEST_FIRST {
        return (world, [before, made].concat());
    }
    made.reverse();
    (world, [made, before].concat())
}

pub(crate) async fn pages_have_no_gaps_and_no_repeats<R: Resource>() {
    let (world, in_order) = world_with::<R>(5).await;
    for size in [1, 2, 5, 1000] {
        assert_eq!(ids(&world, size, String::new()).await, in_order, "pages of {size}");
    }
}

pub(crate) async fn what_is_created_while_paging_shifts_nothing<R: Resource>() {
    let (world, mut in_order) = world_with::<R>(4).await;
    let (first, token) = world.list(json!({ "page_size": 2 })).await.unwrap();
    let created = world.create().await;
    if R::OLDEST_FIRST {
        in_order.push(World::<R>::id(&created).to_owned());
    }
    let rest = ids(&world, 2, token).await;
    let first: Vec<_> = first.iter().map(|it| World::<R>::id(it).to_owned()).collect();
    assert_eq!([first, rest].concat(), in_order);
}

pub(crate) async fn page_sizes_have_bounds<R: Resource>() {
    let world = World::<R>::new().await;
    assert_names(world.list(json!({ "page_size": -1 })).await, "page_size");
    assert_names(world.list(json!({ "page_size": i32::MIN })).await, "page_size");
    world.list(json!({ "page_size": i32::MAX })).await.expect("a huge page is capped");
}

pub(crate) async fn a_page_token_is_bound_to_its_list<R: Resource>() {
    let (world, _) = world_with::<R>(2).await;
    let (_, token) = world.list(json!({ "page_size": 1 })).await.unwrap();
    assert!(!token.is_empty());
    let refused = async |world: &World<R>, request: Value| {
        let result = world.list(request).await;
        let reason = Reason::InvalidPageToken;
        assert_fails(result, Code::InvalidArgument, reason, "page_token");
    };

    // Every byte of it counts.
    for at in [0, token.len() / 2, token.len() - 2] {
        let mut forged = token.clone();
        let other = if &forged[at..=at] == "A" { "B" } else { "A" };
        forged.replace_range(at..=at, other);
        refused(&world, json!({ "page_token": forged })).await;
    }
    for nonsense in ["x", "AAAA", "' or 1=1 --", &token[1..], &format!("{token}A")] {
        refused(&world, json!({ "page_token": nonsense })).await;
    }
    // One that is good elsewhere: an organization has several members and several keys from the beginning.
    let (elsewhere, caller) = match R::KIND {
        "Member" => ("ApiKeyService/ListApiKeys", world.org.admin()),
        _ => ("MemberService/ListMembers", world.org.viewer()),
    };
    let page = caller.call(elsewhere, json!({ "page_size": 1 })).await.unwrap();
    assert_ne!(page["next_page_token"], "");
    refused(&world, json!({ "page_token": page["next_page_token"] })).await;
    for sieve in R::sieves(&world.given) {
        // What a list is narrowed to anyway binds nothing.
        if merged(R::list_scope(&world.given), sieve.filter.clone()) != R::list_scope(&world.given)
        {
            refused(&world, merged(sieve.filter, json!({ "page_token": token }))).await;
        }
    }
    if R::TENANT {
        let other = World::<R>::new().await;
        refused(&other, json!({ "page_token": token })).await;
    }
}
