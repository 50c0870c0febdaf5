//! A spreadsheet. What is in it is in its versions.

use crate::resource::resource;
use shared_db::ids::{SheetId, UserId};

resource! {
    /// A spreadsheet. What is in it is in its versions.
    Sheet in web.sheets, tenant, soft_delete, verbs(get, batch_get, list, create, update, delete) {
        name: String,
        description: Option<String>,
        tags: Vec<String>,
        #[given] latest_version: i32,
        #[creator] created_by: Option<UserId>,
    }
    filters {
        tag: String = "tags @> array[?]",
        query: String = "to_tsvector('simple', name) @@ websearch_to_tsquery('simple', ?)",
    }
    orders {
        "create_time desc" = created_at,
        "update_time desc" = updated_at,
        "name" = name,
    }
}
