//! Mending and removing what failed for good.

use super::commands::{self, Command};
use crate::{
    app::{
        App,
        change::{Change, Subject},
    },
    runtime::Actor,
};
use common_api::types::{PurgeBatch, RedriveBatch};
use runtime_api::v1 as rt;
use shared_db::{
    error::{Error, Result},
    ids::ExecutionId,
    service::Caller,
};
use web_api::v1 as pb;

/// Starts executions in the place of dead letters: once per request id, whatever dies in between.
pub async fn redrive(
    app: &App,
    caller: &Caller,
    request: pb::RedriveDeadLettersRequest,
) -> Result<RedriveBatch> {
    let pb::RedriveDeadLettersRequest { selection, dry_run, request_id, after } = request;
    let request = rt::RedriveDeadLettersRequest { selection, dry_run, after };
    if dry_run {
        return app.runtime.redrive_dead_letters(Actor::of(caller)?, request).await;
    }
    if request_id.is_empty() {
        return Err(Error::invalid("request_id", "is required, unless it is a dry run"));
    }
    commands::run(app, caller, &request_id, Command::RedriveDeadLetters(request)).await
}

/// Removes dead letters.
pub async fn purge(
    app: &App,
    caller: &Caller,
    request: pb::PurgeDeadLettersRequest,
) -> Result<PurgeBatch> {
    let pb::PurgeDeadLettersRequest { selection, dry_run } = request;
    let request = rt::PurgeDeadLettersRequest { selection, dry_run };
    let batch = app.runtime.purge_dead_letters(Actor::of(caller)?, request).await?;
    if !dry_run {
        let subject = Subject::batch(ExecutionId::generate().0);
        Change::new(caller, "PurgeDeadLetters", subject).apply(&app.db, async |_| Ok(())).await?;
    }
    Ok(batch)
}
