//! `WorkflowDataService`.

use crate::{
    api::request::{id, list_id},
    app::App,
};
use common_api::types::WorkflowData;
use shared_db::{read::workflow_data as read, service::accept};
use tonic::{Request, Response, Result};
use web_api::v1::{self as pb, workflow_data_service_server};

pub struct WorkflowDataService {
    pub app: App,
}

#[tonic::async_trait]
impl workflow_data_service_server::WorkflowDataService for WorkflowDataService {
    async fn get_workflow_data(
        &self,
        request: Request<pb::GetWorkflowDataRequest>,
    ) -> Result<Response<WorkflowData>> {
        let (caller, request) = accept(request)?;
        let org = caller.org()?;
        let execution = id("execution_id", &request.execution_id)?;
        let mut tx = self.app.db.begin(caller.scope()?).await?;
        let root = read::root(&mut tx, org, execution).await?;
        Ok(Response::new(read::get(&mut tx, org, root, &request.key).await?))
    }

    async fn list_workflow_data(
        &self,
        request: Request<pb::ListWorkflowDataRequest>,
    ) -> Result<Response<pb::ListWorkflowDataResponse>> {
        let (caller, request) = accept(request)?;
        let org = caller.org()?;
        let execution = id("execution_id", &request.execution_id)?;
        let filters = format!("{execution} {:?}", request.tags);
        let list = list_id(&caller, "workflow_data", &[&filters]);
        let page = self.app.page_tokens.open(request.page_size, &request.page_token, &list)?;
        let mut tx = self.app.db.begin_search(caller.scope()?).await?;
        let root = read::root(&mut tx, org, execution).await?;
        let page = read::list(&mut tx, org, root, &request.tags, &page).await?;
        Ok(Response::new(pb::ListWorkflowDataResponse {
            workflow_data: page.items,
            next_page_token: self.app.page_tokens.seal(page.next, &list),
        }))
    }
}
