//! A deadline that passes in the middle of a change: the change is there with all that belongs to it, or it is not there.

use freehold_tests::stack::Stack;
use std::time::Duration;
use tonic::{Code, Request};
use web_api::v1 as pb;

#[tokio::test]
async fn a_create_that_is_cut_off_is_whole_or_absent() {
    let stack = Stack::shared().await;
    let org = stack.organization().await;
    let mut cut_off = 0;
    for attempt in 0..60_u64 {
        let http = common_api::types::HttpCall {
            method: "GET".to_owned(),
            url: "https://example.test/".to_owned(),
            ..Default::default()
        };
        let action = pb::CoreAction {
            slug: format!("a{attempt}"),
            name: "Cut off".to_owned(),
            kind: Some(pb::core_action::Kind::Http(http)),
            ..Default::default()
        };
        let mut request = Request::new(pb::CreateCoreActionRequest { core_action: Some(action) });
        request.set_timeout(Duration::from_micros(200 * (attempt + 1)));
        match org.developer().core_actions().create_core_action(request).await {
            Ok(_) => {}
            Err(status) => {
                // tonic's own client may be the first to see that the time is over.
                let late = [Code::DeadlineExceeded, Code::Cancelled].contains(&status.code());
                assert!(late, "{status:?}");
                cut_off += 1;
            }
        }
    }
    assert!(0 < cut_off, "the shortest deadlines can not be kept");
    // What the server went on with after its caller had gone is over by now.
    tokio::time::sleep(Duration::from_millis(300)).await;
    let sql = "select count(*)
        from web.core_actions as a
        full join web.activities as l on l.org_id = a.org_id and l.resource_id = a.id
        where coalesce(a.org_id, l.org_id)::text = $1
            and (l.action = 'CreateCoreAction' or l.id is null)
            and (a.id is null or l.id is null)";
    let alone: i64 =
        sqlx::query_scalar(sql).bind(&org.id).fetch_one(&stack.database.superuser()).await.unwrap();
    assert_eq!(alone, 0, "each action has its line in the audit trail, and each line its action");
}
