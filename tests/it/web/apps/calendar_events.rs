//! Events: what takes place between two times.

use crate::conformance::resources::needed::made;
use freehold_tests::{
    errors::assert_fails,
    stack::{Org, Stack},
};
use serde_json::{Value, json};
use shared_db::error::Reason;
use tonic::Code;

fn event(title: &str, from: &str, to: &str) -> Value {
    let time = |hour: &str| format!("2026-11-02T{hour}:00:00Z");
    json!({ "calendar_event": { "title": title, "start_time": time(from), "end_time": time(to) } })
}

async fn titles(org: &Org, from: &str, to: &str) -> Vec<String> {
    let time = |hour: &str| format!("2026-11-02T{hour}:00:00Z");
    let list = json!({ "ends_after": time(from), "starts_before": time(to) });
    let list = org.viewer().call("CalendarEventService/ListCalendarEvents", list).await.unwrap();
    let title = |it: &Value| it["title"].as_str().unwrap().to_owned();
    list["calendar_events"].as_array().into_iter().flatten().map(title).collect()
}

#[tokio::test]
async fn a_day_shows_what_touches_it_in_order() {
    let org = Stack::shared().await.organization().await;
    let create = "CalendarEventService/CreateCalendarEvent";
    for event in [event("late", "14", "16"), event("early", "08", "10"), event("long", "07", "20")]
    {
        made(&org.developer(), create, event).await;
    }
    assert_eq!(titles(&org, "09", "12").await, ["long", "early"]);
    assert_eq!(
        titles(&org, "10", "14").await,
        ["long"],
        "what ends then is over, what starts then is not yet"
    );
    assert_eq!(titles(&org, "00", "23").await, ["long", "early", "late"]);
}

#[tokio::test]
async fn nothing_ends_before_it_starts() {
    let org = Stack::shared().await.organization().await;
    let create = "CalendarEventService/CreateCalendarEvent";
    let result = org.developer().call(create, event("back", "10", "09")).await;
    let field = "calendar_event.end_time";
    assert_fails(result, Code::InvalidArgument, Reason::InvalidField, field);
}
