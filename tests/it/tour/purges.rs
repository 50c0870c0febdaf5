//! Purges: of an organization and of a person who are there for nothing else.

use super::{Tour, Visitor};
use crate::web::identity::purges::finished;
use serde_json::json;

pub(super) async fn walk(tour: &Tour, visitor: &mut impl Visitor) {
    let gone = tour.stack.organization().await;
    let request = json!({ "id": gone.id, "confirm_slug": gone.slug });
    let name = "OrganizationService/PurgeOrganization";
    let purge = tour.make(visitor, name, gone.owner(), request).await;
    let id = json!({ "id": purge["id"] });
    tour.make(visitor, "PurgeService/GetPurge", tour.org.everywhere(), id).await;
    tour.web(visitor, "PurgeService/ListPurges", json!({})).await;
    finished(&tour.stack, &purge["id"]).await;
    // Commands that come late are answered, and do nothing.
    let of = json!({ "purge_id": purge["id"] });
    for name in ["StopOrganization", "PurgeOrganization"] {
        let name = format!("PurgeService/{name}");
        tour.make(visitor, &name, gone.runtime(), of.clone()).await;
    }

    let left = tour.stack.organization().await;
    let user = &left.viewer.user_id;
    let request = json!({ "id": user });
    let purge = tour.make(visitor, "UserService/PurgeUser", left.viewer(), request).await;
    finished(&tour.stack, &purge["id"]).await;
    let about = left.runtime();
    let about = about.with_identity(about.identity.clone().with("x-freehold-user", user));
    let of = json!({ "purge_id": purge["id"] });
    tour.make(visitor, "PurgeService/PurgeUser", about, of).await;
}
