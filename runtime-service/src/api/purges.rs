//! `PurgeService`.

use crate::app::purges::Purges;
use runtime_api::v1::{self as pb, purge_service_server};
use shared_db::{
    enums::PurgeSubject,
    service::{accept, id},
};
use tonic::{Request, Response, Result};

pub struct PurgeService {
    pub purges: Purges,
}

#[tonic::async_trait]
impl purge_service_server::PurgeService for PurgeService {
    async fn stop_organization(
        &self,
        request: Request<pb::StopOrganizationRequest>,
    ) -> Result<Response<pb::StopOrganizationResponse>> {
        let (caller, request) = accept(request)?;
        let live = self.purges.stop(&caller, id("purge_id", &request.purge_id)?).await?;
        Ok(Response::new(pb::StopOrganizationResponse { live }))
    }

    async fn purge_organization(
        &self,
        request: Request<pb::PurgeOrganizationRequest>,
    ) -> Result<Response<pb::PurgeOrganizationResponse>> {
        let (caller, request) = accept(request)?;
        let purge = id("purge_id", &request.purge_id)?;
        let erasure = self.purges.erase(&caller, purge, PurgeSubject::Organization).await?;
        Ok(Response::new(pb::PurgeOrganizationResponse { erasure: Some(erasure) }))
    }

    async fn purge_user(
        &self,
        request: Request<pb::PurgeUserRequest>,
    ) -> Result<Response<pb::PurgeUserResponse>> {
        let (caller, request) = accept(request)?;
        let purge = id("purge_id", &request.purge_id)?;
        let erasure = self.purges.erase(&caller, purge, PurgeSubject::User).await?;
        Ok(Response::new(pb::PurgeUserResponse { erasure: Some(erasure) }))
    }
}
