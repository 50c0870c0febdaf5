//! A place in the workspace of an organization: a shortcut to something that is kept elsewhere.

use crate::{resource::resource, store::enums::WorkspaceItemKind};
use shared_db::ids::{UserId, WorkspaceItemId};
use uuid::Uuid;

resource! {
    /// A place in the workspace of an organization: a shortcut to something that is kept elsewhere.
    WorkspaceItem in web.workspace_items, tenant {
        #[fixed] kind: WorkspaceItemKind,
        title: String,
        #[fixed] resource_id: Option<Uuid>,
        url: Option<String>,
        section: String,
        position: i32,
        #[creator] created_by: Option<UserId>,
    }
    filters {
        kind: WorkspaceItemKind = "kind = ?",
        section: String = "section = ?",
    }
    orders {
        "create_time desc" = created_at,
        "section, position" = (section, position),
    }
}
