//! What tasks belong to.

use crate::{resource::resource, store::enums::ProjectStatus};
use chrono::{DateTime, Utc};
use shared_db::ids::{ProjectId, UserId};

resource! {
    /// What tasks belong to.
    Project in web.projects, tenant {
        name: String,
        description: Option<String>,
        status: ProjectStatus,
        start_at as start_time: Option<DateTime<Utc>>,
        due_at as due_time: Option<DateTime<Utc>>,
        #[creator] created_by: Option<UserId>,
    }
    filters {
        status: ProjectStatus = "status = ?",
    }
    orders {
        "create_time desc" = created_at,
        "due_time" = due_at,
    }
}
