//! Folders of files, as a tree.

use crate::{resource::resource, store::tree::tree};
use shared_db::ids::FileFolderId;

resource! {
    /// Folders of files, as a tree.
    FileFolder in web.file_folders, tenant, rules {
        parent_id: Option<FileFolderId>,
        name: String,
    }
    filters {
        parent_id: FileFolderId = "parent_id = ?",
        top: Flag = "parent_id is null",
    }
}

tree!(FileFolder, FileFolderId, "file_folder", "web.file_folders", of "web.files");
