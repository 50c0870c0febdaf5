//! Orders of lists: each is kept over all pages, with no gaps and no repeats.

use super::lists::pages;
use crate::conformance::{
    resource::{Resource, World},
    words::{behaviours, merged},
};
use chrono::{DateTime, TimeDelta};
use prost_reflect::{FieldDescriptor, Kind};
use serde_json::{Map, Value, json};
use std::cmp::Ordering;

/// The rows of the law. In what they are ordered by some are the same, so that ids decide.
const ROWS: usize = 5;

/// What the list says of its orders when it is asked for one that it does not have.
async fn orders<R: Resource>(world: &World<R>) -> Vec<String> {
    let status = world.list(json!({ "order_by": "nonsense" })).await.unwrap_err();
    let known = status.message().split('"').skip(1).step_by(2).map(str::to_owned);
    known.collect()
}

/// The fields that an order is by, and whether it descends.
fn parts(order: &str) -> (Vec<&str>, bool) {
    match order.strip_suffix(" desc") {
        Some(field) => (vec![field], true),
        None => (order.split(", ").collect(), false),
    }
}

/// A value of a field for the row with this number.
fn value(field: &FieldDescriptor, draft: &Value, row: usize, shift: usize) -> Value {
    let number = [2, 1, 2, 0, 3][(row + shift) % ROWS];
    let required = behaviours(field).iter().any(|it| it == "REQUIRED");
    let kind = field.kind();
    if let Kind::String = kind {
        return json!(["B", "a", "B", "\u{e9}", "c"][(row + shift) % ROWS]);
    }
    let Kind::Message(_) = kind else { return json!(number) };
    if number == 0 && !required {
        return Value::Null;
    }
    let time = draft[field.name()].as_str().expect("a draft has every field");
    let time = DateTime::parse_from_rfc3339(time).unwrap() + TimeDelta::minutes(number);
    json!(time.to_rfc3339())
}

/// What a row is ordered by; nothing comes last, whichever way the list goes.
fn place(row: &Value, field: &str) -> Option<Value> {
    let value = &row[field];
    if value.is_null() {
        return None;
    }
    if let (Some(time), true) = (value.as_str(), field.ends_with("_time")) {
        return Some(json!(DateTime::parse_from_rfc3339(time).unwrap().timestamp_micros()));
    }
    Some(value.clone())
}

fn compare(one: &Value, other: &Value) -> Ordering {
    match (one, other) {
        (Value::String(one), Value::String(other)) => one.cmp(other),
        _ => one.as_i64().cmp(&other.as_i64()),
    }
}

fn sorted<R: Resource>(rows: &[Value], order: &str) -> Vec<String> {
    let (fields, descends) = parts(order);
    let way = |it: Ordering| if descends { it.reverse() } else { it };
    let mut rows: Vec<_> = rows.iter().collect();
    rows.sort_by(|one, other| {
        let by = |field: &&str| match (place(one, field), place(other, field)) {
            (Some(one), Some(other)) => way(compare(&one, &other)),
            (one, other) => other.is_some().cmp(&one.is_some()),
        };
        let first = fields.iter().map(by).find(|it| it.is_ne());
        first.unwrap_or_else(|| way(World::<R>::id(one).cmp(World::<R>::id(other))))
    });
    rows.into_iter().map(|it| World::<R>::id(it).to_owned()).collect()
}

/// Makes rows that differ in what they are ordered by, and changes some of them later.
async fn fill<R: Resource>(world: &World<R>, orders: &[String]) {
    let message = World::<R>::draft_message();
    let settable = |field: &&str| {
        let field = message.get_field_by_name(field)?;
        let told = behaviours(&field).iter().any(|it| it == "OUTPUT_ONLY");
        (!told).then_some(field)
    };
    let mut fields: Vec<_> =
        orders.iter().flat_map(|it| parts(it).0).filter_map(|it| settable(&it)).collect();
    fields.dedup_by(|one, other| one.name() == other.name());
    let draft = world.draft();
    let mut made = Vec::new();
    for row in 0..ROWS {
        let values = fields.iter().enumerate().map(|(at, field)| {
            // Rows that are the same in the first differ in the second.
            (field.name().to_owned(), value(field, &draft, row, at))
        });
        made.push(world.create_with(&values.collect::<Map<_, _>>().into()).await);
    }
    let changes = R::changes(&world.given);
    let untouched = |it: &(&String, &Value)| fields.iter().all(|field| field.name() != it.0);
    let Some((field, value)) = changes.as_object().and_then(|it| it.iter().find(untouched)) else {
        return;
    };
    for row in [3, 1] {
        let update = json!({ R::ID: made[row][R::ID], field: value });
        world.update(update, Some(&[field])).await.unwrap();
    }
}

pub(crate) async fn each_order_is_kept_over_all_pages<R: Resource>() {
    if World::<R>::list_message().get_field_by_name("order_by").is_none() {
        return;
    }
    let world = World::<R>::alone().await;
    let orders = orders(&world).await;
    assert!(orders.len() > 1, "{orders:?}");
    fill(&world, &orders).await;
    for order in &orders {
        let request = json!({ "order_by": order });
        let all = pages(&world, &request, 1000, String::new()).await;
        assert!(all.len() >= ROWS, "{order}");
        let expected = sorted::<R>(&all, order);
        for size in [1, 2, 1000] {
            let ids = pages(&world, &request, size, String::new()).await;
            let ids: Vec<_> = ids.iter().map(|it| World::<R>::id(it).to_owned()).collect();
            assert_eq!(ids, expected, "{order}, pages of {size}");
        }
        // A token belongs to the order that it was given for.
        let first = merged(request, json!({ "page_size": 1 }));
        let (_, token) = world.list(first).await.unwrap();
        let other = orders.iter().find(|it| *it != order).unwrap();
        let other = json!({ "order_by": other, "page_token": token });
        super::assert_names_token(world.list(other).await);
    }
}
