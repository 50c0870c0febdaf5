//! `ConcurrencyLimitService`.

use crate::app::limits::Limits;
use common_api::types::ConcurrencyLimits;
use runtime_api::v1::{self as pb, concurrency_limit_service_server};
use shared_db::service::accept;
use tonic::{Request, Response, Result};

pub struct ConcurrencyLimitService {
    pub limits: Limits,
}

#[tonic::async_trait]
impl concurrency_limit_service_server::ConcurrencyLimitService for ConcurrencyLimitService {
    async fn set_organization_limit(
        &self,
        request: Request<pb::SetOrganizationLimitRequest>,
    ) -> Result<Response<ConcurrencyLimits>> {
        let (caller, request) = accept(request)?;
        Ok(Response::new(self.limits.set_organization(&caller, request).await?))
    }

    async fn set_concurrency_limit(
        &self,
        request: Request<pb::SetConcurrencyLimitRequest>,
    ) -> Result<Response<ConcurrencyLimits>> {
        let (caller, request) = accept(request)?;
        Ok(Response::new(self.limits.set(&caller, request).await?))
    }

    async fn delete_concurrency_limit(
        &self,
        request: Request<pb::DeleteConcurrencyLimitRequest>,
    ) -> Result<Response<ConcurrencyLimits>> {
        let (caller, request) = accept(request)?;
        Ok(Response::new(self.limits.delete(&caller, request).await?))
    }
}
