//! `FileService`.

mod upload;

use crate::{
    api::request::{self, list_id},
    app::{
        App,
        change::Change,
        files::{self as app, Download, Files, urls::Grant},
    },
    store::apps::files::{self, File, FileFilter, FilePatch},
};
use chrono::TimeDelta;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use shared_db::{
    error::{Error, Reason},
    ids::{Etag, FileId},
    service::{Mask, accept, accept_stream},
    wire::{self, timestamp},
};
use std::{collections::HashMap, pin::Pin};
use tonic::{Request, Response, Result, Streaming};
use web_api::v1::{self as pb, file_service_server};

/// How long a URL is good for when nobody says.
const URL_TTL_DEFAULT: TimeDelta = TimeDelta::hours(1);

pub struct FileService {
    pub app: App,
}

#[tonic::async_trait]
impl file_service_server::FileService for FileService {
    type DownloadFileStream = Pin<Box<dyn Stream<Item = Result<pb::DownloadFileResponse>> + Send>>;

    async fn get_file(&self, request: Request<pb::GetFileRequest>) -> Result<Response<pb::File>> {
        let (caller, request) = accept(request)?;
        let id = request::id("id", &request.id)?;
        let mut tx = self.app.db.begin(caller.scope()?).await?;
        let file = files::get(&mut tx, caller.org()?, id, request.show_deleted).await?;
        Ok(Response::new(self.message(file)?))
    }

    async fn batch_get_files(
        &self,
        request: Request<pb::BatchGetFilesRequest>,
    ) -> Result<Response<pb::BatchGetFilesResponse>> {
        let (caller, request) = accept(request)?;
        let ids: Vec<FileId> = request::ids(&request.ids)?;
        let mut tx = self.app.db.begin(caller.scope()?).await?;
        let found = files::get_many(&mut tx, caller.org()?, &ids).await?;
        let found: HashMap<_, _> = found.into_iter().map(|it| (it.id, it)).collect();
        let files = ids.into_iter().map(|id| {
            let file = found.get(&id).cloned();
            self.message(file.ok_or_else(|| Error::not_found("file", id))?)
        });
        let files = files.collect::<Result<_, Error>>()?;
        Ok(Response::new(pb::BatchGetFilesResponse { files }))
    }

    async fn list_files(
        &self,
        request: Request<pb::ListFilesRequest>,
    ) -> Result<Response<pb::ListFilesResponse>> {
        let (caller, request) = accept(request)?;
        let text = |it: String| (!it.is_empty()).then_some(it);
        let folder = request.folder_id.as_deref().unwrap_or_default();
        let filter = FileFilter {
            folder_id: request::id_if_any("folder_id", folder)?,
            // Absent is anywhere, and empty the root.
            top: request.top || request.folder_id.as_deref() == Some(""),
            tag: text(request.tag),
            query: text(request.query),
            media_type_prefix: text(request.media_type_prefix),
            show_deleted: request.show_deleted,
            from: request::time_if_any("create_time_from", request.create_time_from)?,
            before: request::time_if_any("create_time_before", request.create_time_before)?,
        };
        let order = request::order(&files::ORDERS, &request.order_by)?;
        let list = list_id(&caller, "files", &[files::ORDERS[order], &format!("{filter:?}")]);
        let page = self.app.page_tokens.open(request.page_size, &request.page_token, &list)?;
        let mut tx = self.app.db.begin_search(caller.scope()?).await?;
        let page =
            files::list(&mut tx, caller.org()?, &filter, order, &page, |it| self.message(it))
                .await?;
        Ok(Response::new(pb::ListFilesResponse {
            files: page.items,
            next_page_token: self.app.page_tokens.seal(page.next, &list),
        }))
    }

    async fn upload_file(
        &self,
        request: Request<Streaming<pb::UploadFileRequest>>,
    ) -> Result<Response<pb::File>> {
        let (caller, mut messages) = accept_stream(request, &self.app.limits)?;
        let upload = upload::begin(messages.next().await?)?;
        let chunks = upload::chunks(upload.chunk, messages);
        let file = app::upload(&self.app, &caller, upload.new, upload.expected, chunks).await?;
        Ok(Response::new(self.message(file)?))
    }

    async fn download_file(
        &self,
        request: Request<pb::DownloadFileRequest>,
    ) -> Result<Response<Self::DownloadFileStream>> {
        let (caller, request) = accept(request)?;
        let (org, id) = (caller.org()?, request::id("id", &request.id)?);
        let not_negative = |it: i64| u64::try_from(it).unwrap_or_default();
        let (offset, limit) =
            (not_negative(request.offset_bytes), not_negative(request.limit_bytes));
        let range = |size: u64| {
            let from = offset.min(size);
            let to = if limit == 0 { size } else { from.saturating_add(limit).min(size) };
            from..to
        };
        let opened = app::download(&self.app, caller.scope()?, (org, id), range).await?;
        let Download { file, bytes } = opened;
        let first = pb::DownloadFileResponse {
            file: Some(self.message(file)?),
            ..pb::DownloadFileResponse::default()
        };
        let bytes = bytes.map_ok(|it| pb::DownloadFileResponse { file: None, chunk: it.into() });
        let messages = stream::iter([Ok(first)]).chain(bytes.map_err(Into::into));
        Ok(Response::new(Box::pin(messages)))
    }

    async fn update_file(
        &self,
        request: Request<pb::UpdateFileRequest>,
    ) -> Result<Response<pb::File>> {
        let (caller, request) = accept(request)?;
        let file = request::required("file", request.file)?;
        let (org, id): (_, FileId) = (caller.org()?, request::id("file.id", &file.id)?);
        let mask = Mask::new::<pb::File>(request.update_mask)?;
        let etag = Etag::expected(&file.etag);
        let folder = file.folder_id.as_deref().unwrap_or_default();
        let folder = request::id_if_any("file.folder_id", folder)?;
        let patch = FilePatch {
            folder_id: mask.pick("folder_id", folder),
            name: mask.pick("name", file.name),
            tags: mask.pick("tags", file.tags),
            description: mask.pick("description", file.description),
        };
        let file = Change::new(&caller, "UpdateFile", id)
            .fields(mask.fields())
            .apply(&self.app.db, async |tx| files::update(tx, org, id, etag, patch).await)
            .await?;
        Ok(Response::new(self.message(file)?))
    }

    async fn delete_file(
        &self,
        request: Request<pb::DeleteFileRequest>,
    ) -> Result<Response<pb::File>> {
        let (caller, request) = accept(request)?;
        let (org, id): (_, FileId) = (caller.org()?, request::id("id", &request.id)?);
        let etag = Etag::expected(&request.etag);
        let file = Change::new(&caller, "DeleteFile", id)
            .apply(&self.app.db, async |tx| files::delete(tx, org, id, etag).await)
            .await?;
        Ok(Response::new(self.message(file)?))
    }

    async fn undelete_file(
        &self,
        request: Request<pb::UndeleteFileRequest>,
    ) -> Result<Response<pb::File>> {
        let (caller, request) = accept(request)?;
        let id = request::id("id", &request.id)?;
        let etag = Etag::expected(&request.etag);
        let file = app::undelete(&self.app, &caller, id, etag).await?;
        Ok(Response::new(self.message(file)?))
    }

    async fn create_file_url(
        &self,
        request: Request<pb::CreateFileUrlRequest>,
    ) -> Result<Response<pb::CreateFileUrlResponse>> {
        let (caller, request) = accept(request)?;
        let (org, id): (_, FileId) = (caller.org()?, request::id("id", &request.id)?);
        let ttl = match request.ttl {
            Some(ttl) => TimeDelta::milliseconds(wire::millis("ttl", ttl)?),
            None => URL_TTL_DEFAULT,
        };
        let urls = self.app.files.urls.as_ref().ok_or_else(urls_off)?;
        let grant = Grant { org, id, expires: self.app.clock.now() + ttl };
        // A URL is as much as a key to the file, so the trail has who made it.
        Change::new(&caller, "CreateFileUrl", id)
            .apply(&self.app.db, async |tx| files::get(tx, org, id, false).await)
            .await?;
        Ok(Response::new(pb::CreateFileUrlResponse {
            url: urls.sign(grant),
            expire_time: Some(timestamp(grant.expires)),
        }))
    }
}

impl FileService {
    fn message(&self, file: File) -> Result<pb::File, Error> {
        to_wire(file, &self.app.files)
    }
}

fn urls_off() -> Error {
    let problem =
        "files are not served by URL here; set FREEHOLD_FILES_LISTEN or FREEHOLD_FILES_URL";
    Error::precondition(Reason::FileUrlsOff, "file_urls", problem)
}

fn to_wire(it: File, files: &Files) -> Result<pb::File, Error> {
    let window = TimeDelta::from_std(files.undelete_window).map_err(Error::internal)?;
    Ok(pb::File {
        id: it.id.to_string(),
        organization_id: it.org_id.to_string(),
        folder_id: it.folder_id.map(|it| it.to_string()),
        name: it.name,
        media_type: it.media_type,
        size_bytes: it.size_bytes,
        sha256: it.sha256.to_string(),
        tags: it.tags,
        description: it.description,
        created_by: it.created_by.map(|it| it.to_string()),
        create_time: Some(timestamp(it.created_at)),
        update_time: Some(timestamp(it.updated_at)),
        delete_time: it.deleted_at.map(timestamp),
        purge_time: it.deleted_at.map(|it| timestamp(it + window)),
        etag: it.etag.to_string(),
    })
}
