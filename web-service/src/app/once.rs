//! What web makes by itself, once for each request id: claimed, made, told and answered in one transaction.

use super::{
    App,
    change::{Change, Subject},
};
use crate::{
    resource::Resource,
    store::identity::request_ids::{self, Claim, NewRequest},
};
use prost::Message;
use sha2::{Digest, Sha256};
use shared_db::{
    error::{Error, Result},
    scope::Tx,
    service::Caller,
};
use std::time::Duration;
use uuid::Uuid;

/// What a caller asks for, and the id that makes the same request again the same. Without an id each is another.
#[derive(Clone, Debug)]
pub struct Asked {
    request_id: String,
    method: &'static str,
    payload_hash: [u8; 32],
}

impl Asked {
    /// `request` is what is asked for, without its id.
    pub fn new(method: &'static str, request_id: String, request: &impl Message) -> Self {
        Self { request_id, method, payload_hash: Sha256::digest(request.encode_to_vec()).into() }
    }

    /// What was answered before. Whoever else asks under this id waits for the end of the transaction.
    async fn answered(
        &self,
        tx: &mut Tx,
        caller: &Caller,
        resource_id: Uuid,
    ) -> Result<Option<Vec<u8>>> {
        let new = NewRequest {
            request_id: &self.request_id,
            method: self.method,
            payload_hash: self.payload_hash,
            resource_id,
            command: None,
            user: caller.user,
            api_key: caller.api_key,
            traceparent: None,
        };
        match request_ids::claim(tx, caller.org()?, &new, Duration::ZERO).await? {
            Claim::Fresh(_) => Ok(None),
            Claim::Answered(answer) => Ok(Some(answer)),
            // Of a method that commands the runtime, which this one is not.
            Claim::Pending { .. } => Err(Error::RequestInProgress),
        }
    }
}

/// Makes one with the id `id`, or gives the answer again that was given before.
pub async fn once<R: Resource>(
    app: &App,
    caller: &Caller,
    asked: &Asked,
    id: R::Id,
    create: impl AsyncFnOnce(&mut Tx) -> Result<R>,
) -> Result<R::Wire> {
    let (org, id) = (caller.org()?, R::uuid(id));
    let mut tx = app.db.begin(caller.scope()?).await?;
    let named = !asked.request_id.is_empty();
    if named && let Some(answer) = asked.answered(&mut tx, caller, id).await? {
        return R::Wire::decode(answer.as_slice()).map_err(Error::internal);
    }
    let made = async {
        let wire = create(&mut tx).await?.into_wire()?;
        if named {
            let answer = wire.encode_to_vec();
            request_ids::answer(&mut tx, org, &asked.request_id, id, &answer).await?;
        }
        Ok(wire)
    };
    let made = made.await;
    Change::new(caller, asked.method, Subject { kind: R::KIND, id }).finish(tx, made, false).await
}
