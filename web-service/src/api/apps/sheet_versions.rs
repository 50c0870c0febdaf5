//! `SheetVersionService`.

use crate::{
    api::request,
    app::change::{Change, Subject},
    resource::{Object, Resource, service},
    store::apps::sheet_versions::{self, CONTENT_BYTES_MAX, NewSheetVersion, SheetVersion},
};
use shared_db::{
    ids::{SheetId, SheetVersionId},
    service::accept,
};
use tonic::{Request, Response, Result};
use web_api::v1 as pb;

service! {
    SheetVersion of sheet_versions, get, list {
        async fn create_sheet_version(
            &self,
            request: Request<pb::CreateSheetVersionRequest>,
        ) -> Result<Response<pb::SheetVersion>> {
            let (caller, request) = accept(request)?;
            let (org, sheet): (_, SheetId) = (caller.org()?, request::id("sheet_id", &request.sheet_id)?);
            let content = request::required("content", request.content)?;
            let new = NewSheetVersion {
                content: Object(request::object("content", content, CONTENT_BYTES_MAX)?),
                comment: request.comment,
                expected_version: (request.expected_version != 0).then_some(request.expected_version),
                restored_from: None,
            };
            let id = SheetVersionId::generate();
            let made = Change::new(&caller, "CreateSheetVersion", Subject { kind: "sheet_version", id: id.0 })
                .apply(&self.app.db, async |tx| {
                    sheet_versions::append(tx, org, sheet, id, new, caller.user).await
                })
                .await?;
            Ok(Response::new(made.into_wire()?))
        }

        async fn restore_sheet_version(
            &self,
            request: Request<pb::RestoreSheetVersionRequest>,
        ) -> Result<Response<pb::SheetVersion>> {
            let (caller, request) = accept(request)?;
            let (org, sheet): (_, SheetId) = (caller.org()?, request::id("sheet_id", &request.sheet_id)?);
            let (id, version) = (SheetVersionId::generate(), request.version);
            let made = Change::new(&caller, "RestoreSheetVersion", Subject { kind: "sheet_version", id: id.0 })
                .apply(&self.app.db, async |tx| {
                    let content = sheet_versions::content(tx, org, sheet, version).await?;
                    let new = NewSheetVersion {
                        content,
                        comment: format!("version {version} again"),
                        expected_version: None,
                        restored_from: Some(version),
                    };
                    sheet_versions::append(tx, org, sheet, id, new, caller.user).await
                })
                .await?;
            Ok(Response::new(made.into_wire()?))
        }
    }
}
