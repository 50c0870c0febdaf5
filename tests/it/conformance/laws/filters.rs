//! Filters of lists: each lets through what it says and nothing else, and none is left out here.

use crate::conformance::resource::{Resource, Sieve, World};
use chrono::{DateTime, TimeDelta};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Fields of the request for a list that do not narrow it, and one that has laws of its own.
const NO_FILTERS: [&str; 4] = ["page_size", "page_token", "order_by", "show_deleted"];
/// What bounds the time of creation has a law for all.
const CREATION: [&str; 2] = ["create_time_from", "create_time_before"];

fn keys(value: &Value) -> impl Iterator<Item = String> {
    value.as_object().expect("a filter is an object").keys().cloned()
}

pub(crate) async fn no_filter_is_left_out<R: Resource>() {
    let world = World::<R>::new().await;
    let sieves = R::sieves(&world.given);
    let elsewhere = R::SIEVED_ELSEWHERE.iter().map(|it| it.0.to_owned());
    let shown: BTreeSet<_> =
        sieves.iter().flat_map(|it| keys(&it.filter)).chain(elsewhere).collect();
    let fields = World::<R>::list_message();
    let taken: BTreeSet<_> = fields
        .fields()
        .map(|it| it.name().to_owned())
        .filter(|it| !NO_FILTERS.contains(&it.as_str()) && !CREATION.contains(&it.as_str()))
        .collect();
    assert_eq!(shown, taken);
}

/// Which of `these` a list has, in its order.
async fn found<R: Resource>(world: &World<R>, filter: &Value, these: &[&Value]) -> Vec<String> {
    let mut request = filter.clone();
    request["page_size"] = json!(1000);
    let (items, _) = world.list(request).await.unwrap();
    let these: Vec<_> = these.iter().map(|it| World::<R>::id(it)).collect();
    let ids = items.iter().map(|it| World::<R>::id(it));
    ids.filter(|it| these.contains(it)).map(str::to_owned).collect()
}

pub(crate) async fn each_filter_lets_through_what_it_says<R: Resource>() {
    let world = World::<R>::new().await;
    for Sieve { filter, inside, outside } in R::sieves(&world.given) {
        let out = world.create_with(&outside).await;
        let inn = world.create_with(&inside).await;
        let both = [&out, &inn];
        assert_eq!(found(&world, &filter, &both).await, [World::<R>::id(&inn)], "{filter}");
        // A filter of a scope that lists always have is taken for good.
        if keys(&filter).all(|it| R::list_scope(&world.given).get(it).is_none()) {
            let all = found(&world, &json!({}), &both).await;
            assert_eq!(all.len(), 2, "without {filter} both are there");
        }
    }
}

/// From a time on, and before another: the first belongs to it, and the last does not.
pub(crate) async fn a_range_of_time_has_its_beginning_and_not_its_end<R: Resource>() {
    let list = World::<R>::list_message();
    if CREATION.iter().all(|it| list.get_field_by_name(it).is_none()) {
        return;
    }
    let world = World::<R>::new().await;
    let (first, second, third) = (world.create().await, world.create().await, world.create().await);
    let all = [&first, &second, &third];
    let (from, before) = (&second["create_time"], &third["create_time"]);
    let id = |it| World::<R>::id(it).to_owned();
    for (filter, expected) in [
        (json!({ "create_time_from": from }), vec![id(&third), id(&second)]),
        (json!({ "create_time_before": before }), vec![id(&second), id(&first)]),
        (json!({ "create_time_from": from, "create_time_before": before }), vec![id(&second)]),
        (json!({ "create_time_from": before, "create_time_before": from }), vec![]),
    ] {
        assert_eq!(found(&world, &filter, &all).await, expected, "{filter}");
    }
    // A token belongs to the range that it was given for.
    let page = json!({ "create_time_from": first["create_time"], "page_size": 1 });
    let (_, token) = world.list(page).await.unwrap();
    let later = DateTime::parse_from_rfc3339(first["create_time"].as_str().unwrap()).unwrap()
        + TimeDelta::microseconds(1);
    let other = json!({ "create_time_from": later.to_rfc3339(), "page_token": token });
    super::assert_names_token(world.list(other).await);
}
