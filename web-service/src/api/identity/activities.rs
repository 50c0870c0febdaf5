//! `ActivityService`.

use crate::{
    api::request::{self, list_id},
    app::App,
    store::identity::activities::{self, Activity, ActivityFilter},
};
use shared_db::{service::accept, wire::timestamp};
use tonic::{Request, Response, Result};
use web_api::v1::{self as pb, activity_service_server};

pub struct ActivityService {
    pub app: App,
}

#[tonic::async_trait]
impl activity_service_server::ActivityService for ActivityService {
    async fn get_activity(
        &self,
        request: Request<pb::GetActivityRequest>,
    ) -> Result<Response<pb::Activity>> {
        let (caller, request) = accept(request)?;
        let id = request::id("id", &request.id)?;
        let mut tx = self.app.db.begin(caller.scope()?).await?;
        let activity = activities::get(&mut tx, caller.org()?, id).await?;
        Ok(Response::new(activity.into()))
    }

    async fn list_activities(
        &self,
        request: Request<pb::ListActivitiesRequest>,
    ) -> Result<Response<pb::ListActivitiesResponse>> {
        let (caller, request) = accept(request)?;
        let text = |it: String| Some(it).filter(|it| !it.is_empty());
        let filter = ActivityFilter {
            resource_id: request::id_if_any("resource_id", &request.resource_id)?,
            actor_user: request::id_if_any("actor_user_id", &request.actor_user_id)?,
            resource_type: text(request.resource_type),
            action: text(request.action),
            from: request::time_if_any("create_time_from", request.create_time_from)?,
            before: request::time_if_any("create_time_before", request.create_time_before)?,
        };
        let list = list_id(&caller, "activities", &[&format!("{filter:?}")]);
        let page = self.app.page_tokens.open(request.page_size, &request.page_token, &list)?;
        let mut tx = self.app.db.begin_search(caller.scope()?).await?;
        let page =
            activities::list(&mut tx, caller.org()?, &filter, &page, |it| Ok(it.into())).await?;
        Ok(Response::new(pb::ListActivitiesResponse {
            activities: page.items,
            next_page_token: self.app.page_tokens.seal(page.next, &list),
        }))
    }
}

impl From<Activity> for pb::Activity {
    fn from(it: Activity) -> Self {
        Self {
            id: it.id.to_string(),
            organization_id: it.org_id.to_string(),
            actor_user_id: it.actor_user_id.map(|it| it.to_string()).unwrap_or_default(),
            actor_api_key_id: it.actor_api_key_id.map(|it| it.to_string()).unwrap_or_default(),
            action: it.action,
            resource_type: it.resource_type,
            resource_id: it.resource_id.to_string(),
            fields: it.fields,
            trace_id: it.trace_id.unwrap_or_default(),
            create_time: Some(timestamp(it.created_at)),
        }
    }
}
