//! `ConcurrencyLimitService`.

use crate::app::{App, agents::limits};
use common_api::types::ConcurrencyLimits;
use shared_db::{read, service::accept};
use tonic::{Request, Response, Result};
use web_api::v1::{self as pb, concurrency_limit_service_server};

pub struct ConcurrencyLimitService {
    pub app: App,
}

#[tonic::async_trait]
impl concurrency_limit_service_server::ConcurrencyLimitService for ConcurrencyLimitService {
    async fn get_concurrency_limits(
        &self,
        request: Request<pb::GetConcurrencyLimitsRequest>,
    ) -> Result<Response<ConcurrencyLimits>> {
        let (caller, _) = accept(request)?;
        let mut tx = self.app.db.begin(caller.scope()?).await?;
        Ok(Response::new(read::limits::get(&mut tx, caller.org()?).await?))
    }

    async fn set_organization_limit(
        &self,
        request: Request<pb::SetOrganizationLimitRequest>,
    ) -> Result<Response<ConcurrencyLimits>> {
        let (caller, request) = accept(request)?;
        Ok(Response::new(limits::set_organization(&self.app, &caller, request).await?))
    }

    async fn set_concurrency_limit(
        &self,
        request: Request<pb::SetConcurrencyLimitRequest>,
    ) -> Result<Response<ConcurrencyLimits>> {
        let (caller, request) = accept(request)?;
        Ok(Response::new(limits::set(&self.app, &caller, request).await?))
    }

    async fn delete_concurrency_limit(
        &self,
        request: Request<pb::DeleteConcurrencyLimitRequest>,
    ) -> Result<Response<ConcurrencyLimits>> {
        let (caller, request) = accept(request)?;
        Ok(Response::new(limits::delete(&self.app, &caller, request).await?))
    }
}
