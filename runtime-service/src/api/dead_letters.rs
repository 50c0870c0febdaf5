//! `DeadLetterService`.

use crate::app::dead_letters::DeadLetters;
use common_api::types::{PurgeBatch, RedriveBatch};
use runtime_api::v1::{self as pb, dead_letter_service_server};
use shared_db::service::accept;
use tonic::{Request, Response, Result};

pub struct DeadLetterService {
    pub letters: DeadLetters,
}

#[tonic::async_trait]
impl dead_letter_service_server::DeadLetterService for DeadLetterService {
    async fn redrive_dead_letters(
        &self,
        request: Request<pb::RedriveDeadLettersRequest>,
    ) -> Result<Response<RedriveBatch>> {
        let (caller, request) = accept(request)?;
        Ok(Response::new(self.letters.redrive(&caller, request).await?))
    }

    async fn purge_dead_letters(
        &self,
        request: Request<pb::PurgeDeadLettersRequest>,
    ) -> Result<Response<PurgeBatch>> {
        let (caller, request) = accept(request)?;
        Ok(Response::new(self.letters.purge(&caller, request).await?))
    }
}
