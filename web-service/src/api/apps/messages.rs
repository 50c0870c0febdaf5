//! `MessageService`.

use crate::{
    api::request,
    app::change::{Change, Subject},
    resource::{Resource, service},
    store::apps::messages::{self, Message},
};
use shared_db::{error::Error, ids::MessageId, service::accept};
use tonic::{Request, Response, Result};
use web_api::v1 as pb;

service! {
    Message of messages, get, list, create, delete {
        async fn mark_messages(
            &self,
            request: Request<pb::MarkMessagesRequest>,
        ) -> Result<Response<pb::MarkMessagesResponse>> {
            let (caller, request) = accept(request)?;
            let ids: Vec<MessageId> =
                request.ids.iter().map(|it| request::id("ids", it)).collect::<Result<_, Error>>()?;
            let org = caller.org()?;
            let change = Change::new(&caller, "MarkMessages", Subject::batch(ids[0].0));
            let marked = change
                .apply(&self.app.db, async |tx| messages::mark(tx, org, &ids, request.read).await)
                .await?;
            let messages = marked.into_iter().map(Resource::into_wire).collect::<Result<_, _>>()?;
            Ok(Response::new(pb::MarkMessagesResponse { messages }))
        }
    }
}
