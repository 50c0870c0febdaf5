//! Folders of notes, as a tree.

use crate::{resource::resource, store::tree::tree};
use shared_db::ids::{NoteFolderId, UserId};

resource! {
    /// Folders of notes, as a tree.
    NoteFolder in web.note_folders, tenant, rules {
        parent_id: Option<NoteFolderId>,
        name: String,
        #[creator] created_by: Option<UserId>,
    }
    filters {
        parent_id: NoteFolderId = "parent_id = ?",
        top: Flag = "parent_id is null",
    }
}

tree!(NoteFolder, NoteFolderId, "note_folder", "web.note_folders", of "web.notes");
