//! `WorkspaceItemService`.

use crate::{resource::service, store::apps::workspace_items::WorkspaceItem};

service! { WorkspaceItem of workspace_items, get, list, create, update, delete }
