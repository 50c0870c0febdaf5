//! What was read.

use crate::{
    app::{
        App,
        change::{Change, Subject},
    },
    resource::BatchGet,
    store::apps::messages::{self, Message},
};
use shared_db::{
    error::{Error, Result},
    ids::MessageId,
    service::Caller,
};
use std::collections::BTreeSet;

/// Marks all of these messages, or none. They come back in no order.
pub async fn mark(
    app: &App,
    caller: &Caller,
    ids: &[MessageId],
    read: bool,
) -> Result<Vec<Message>> {
    let ids: Vec<_> = ids.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    let org = caller.org()?;
    let change = Change::new(caller, "MarkMessages", Subject::batch(ids[0].0));
    let mut tx = app.db.begin(caller.scope()?).await?;
    messages::mark(&mut tx, org, &ids, read, &change.trail()).await?;
    let marked = Message::batch_get(&mut tx, org, &ids).await?;
    if let Some(never) = ids.iter().find(|id| marked.iter().all(|it| it.id != **id)) {
        return Err(Error::not_found("message", never));
    }
    change.finish(tx, Ok(marked), true).await
}
