//! `MessageService`.

use crate::{
    api::{plain, request},
    app::messages,
    resource::service,
    store::apps::messages::Message,
};
use shared_db::service::accept;
use tonic::{Request, Response, Result};
use web_api::v1 as pb;

service! {
    Message of messages, get, list, create, delete {
        async fn mark_messages(
            &self,
            request: Request<pb::MarkMessagesRequest>,
        ) -> Result<Response<pb::MarkMessagesResponse>> {
            let (caller, request) = accept(request)?;
            let ids = request::ids(&request.ids)?;
            let marked = messages::mark(&self.app, &caller, &ids, request.read).await?;
            let messages = plain::in_order::<Message>(&ids, marked)?;
            Ok(Response::new(pb::MarkMessagesResponse { messages }))
        }
    }
}
