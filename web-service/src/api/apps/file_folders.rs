//! `FileFolderService`.

use crate::{
    api::request::{self, list_id},
    app::{self, App},
    store::apps::file_folders::{self, FileFolder, FileFolderPatch, NewFileFolder, Within},
};
use shared_db::{
    error,
    ids::{Etag, FileFolderId},
    service::{Mask, accept},
    wire::timestamp,
};
use tonic::{Request, Response, Result};
use web_api::v1::{self as pb, file_folder_service_server};

pub struct FileFolderService {
    pub app: App,
}

#[tonic::async_trait]
impl file_folder_service_server::FileFolderService for FileFolderService {
    async fn get_file_folder(
        &self,
        request: Request<pb::GetFileFolderRequest>,
    ) -> Result<Response<pb::FileFolder>> {
        let (caller, request) = accept(request)?;
        let id = request::id("id", &request.id)?;
        let mut tx = self.app.db.begin(caller.scope()?).await?;
        let folder = file_folders::get(&mut tx, caller.org()?, id).await?;
        Ok(Response::new(folder.into()))
    }

    async fn list_file_folders(
        &self,
        request: Request<pb::ListFileFoldersRequest>,
    ) -> Result<Response<pb::ListFileFoldersResponse>> {
        let (caller, request) = accept(request)?;
        let within = within("parent_id", request.parent_id.as_deref())?;
        let list = list_id(&caller, "file_folders", &[&format!("{within:?}")]);
        let page = self.app.page_tokens.open(request.page_size, &request.page_token, &list)?;
        let mut tx = self.app.db.begin_search(caller.scope()?).await?;
        let page =
            file_folders::list(&mut tx, caller.org()?, within, &page, |it| Ok(it.into())).await?;
        Ok(Response::new(pb::ListFileFoldersResponse {
            file_folders: page.items,
            next_page_token: self.app.page_tokens.seal(page.next, &list),
        }))
    }

    async fn create_file_folder(
        &self,
        request: Request<pb::CreateFileFolderRequest>,
    ) -> Result<Response<pb::FileFolder>> {
        let (caller, request) = accept(request)?;
        let folder = request::required("file_folder", request.file_folder)?;
        let parent = folder.parent_id.as_deref().unwrap_or_default();
        let parent_id = request::id_if_any("file_folder.parent_id", parent)?;
        let new = NewFileFolder { parent_id, name: folder.name };
        let folder = app::file_folders::create(&self.app, &caller, new).await?;
        Ok(Response::new(folder.into()))
    }

    async fn update_file_folder(
        &self,
        request: Request<pb::UpdateFileFolderRequest>,
    ) -> Result<Response<pb::FileFolder>> {
        let (caller, request) = accept(request)?;
        let folder = request::required("file_folder", request.file_folder)?;
        let id: FileFolderId = request::id("file_folder.id", &folder.id)?;
        let mask = Mask::new::<pb::FileFolder>(request.update_mask)?;
        let etag = Etag::expected(&folder.etag);
        let parent = folder.parent_id.as_deref().unwrap_or_default();
        let parent = request::id_if_any("file_folder.parent_id", parent)?;
        let patch = FileFolderPatch {
            parent_id: mask.pick("parent_id", parent),
            name: mask.pick("name", folder.name),
        };
        let fields = mask.fields();
        let folder = app::file_folders::update(&self.app, &caller, id, etag, patch, fields).await?;
        Ok(Response::new(folder.into()))
    }

    async fn delete_file_folder(
        &self,
        request: Request<pb::DeleteFileFolderRequest>,
    ) -> Result<Response<()>> {
        let (caller, request) = accept(request)?;
        let id: FileFolderId = request::id("id", &request.id)?;
        let etag = Etag::expected(&request.etag);
        app::file_folders::delete(&self.app, &caller, id, etag).await?;
        Ok(Response::new(()))
    }
}

/// The folder that a filter names: absent is anywhere, and empty the root.
pub(super) fn within(field: &'static str, id: Option<&str>) -> error::Result<Within> {
    match id {
        None => Ok(Within::Anywhere),
        Some("") => Ok(Within::Root),
        Some(id) => request::id(field, id).map(Within::Folder),
    }
}

impl From<FileFolder> for pb::FileFolder {
    fn from(it: FileFolder) -> Self {
        Self {
            id: it.id.to_string(),
            organization_id: it.org_id.to_string(),
            parent_id: it.parent_id.map(|it| it.to_string()),
            name: it.name,
            create_time: Some(timestamp(it.created_at)),
            update_time: Some(timestamp(it.updated_at)),
            etag: it.etag.to_string(),
        }
    }
}
