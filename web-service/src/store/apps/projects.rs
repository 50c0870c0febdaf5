//! What tasks belong to.

use crate::{
    resource::{Rules, resource},
    store::{deleted::leave, enums::ProjectStatus},
};
use chrono::{DateTime, Utc};
use shared_db::{
    error::Result,
    ids::{OrganizationId, ProjectId, UserId},
};
use sqlx::PgConnection;

resource! {
    /// What tasks belong to.
    Project in web.projects, tenant, rules {
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

leave!("web.tasks", "project_id", ProjectId);

impl Rules for Project {
    async fn deleting(conn: &mut PgConnection, org: OrganizationId, id: ProjectId) -> Result<()> {
        leave(conn, org, id).await
    }
}
