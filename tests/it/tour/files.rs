//! Files and their folders.

use super::{Tour, Visitor};
use serde_json::json;

pub(super) async fn walk(tour: &Tour, visitor: &mut impl Visitor) {
    let folder = folders(tour, visitor).await;
    // "hello"
    let request = json!({
        "file": { "name": "hello.txt", "media_type": "text/plain", "folder_id": folder },
        "chunk": "aGVsbG8=",
    });
    let file = tour.web(visitor, "FileService/UploadFile", request).await;
    let id = json!({ "id": file["id"] });
    tour.web(visitor, "FileService/GetFile", id.clone()).await;
    tour.web(visitor, "FileService/BatchGetFiles", json!({ "ids": [file["id"]] })).await;
    tour.web(visitor, "FileService/ListFiles", json!({ "folder_id": folder })).await;
    tour.web(visitor, "FileService/DownloadFile", id.clone()).await;
    tour.web(visitor, "FileService/CreateFileUrl", id.clone()).await;
    let changed = json!({ "id": file["id"], "name": "bye.txt" });
    let request = json!({ "file": changed, "update_mask": ["name"] });
    tour.web(visitor, "FileService/UpdateFile", request).await;
    tour.web(visitor, "FileService/DeleteFile", id.clone()).await;
    tour.web(visitor, "FileService/UndeleteFile", id).await;
}

/// Leaves a folder, and returns its id.
async fn folders(tour: &Tour, visitor: &mut impl Visitor) -> String {
    let kept = json!({ "file_folder": { "name": "Kept" } });
    let kept = tour.web(visitor, "FileFolderService/CreateFileFolder", kept).await;
    let folder = json!({ "file_folder": { "name": "Passing", "parent_id": kept["id"] } });
    let folder = tour.web(visitor, "FileFolderService/CreateFileFolder", folder).await;
    let id = json!({ "id": folder["id"] });
    tour.web(visitor, "FileFolderService/GetFileFolder", id.clone()).await;
    let request = json!({ "parent_id": kept["id"] });
    tour.web(visitor, "FileFolderService/ListFileFolders", request).await;
    let changed = json!({ "id": folder["id"], "name": "Passed" });
    let request = json!({ "file_folder": changed, "update_mask": ["name"] });
    tour.web(visitor, "FileFolderService/UpdateFileFolder", request).await;
    tour.web(visitor, "FileFolderService/DeleteFileFolder", id).await;
    kept["id"].as_str().unwrap().to_owned()
}
