//! Something that takes place at a time.

use crate::resource::resource;
use chrono::{DateTime, Utc};
use shared_db::ids::{CalendarEventId, UserId};

resource! {
    /// Something that takes place at a time.
    CalendarEvent in web.calendar_events, tenant {
        title: String,
        description: String,
        location: String,
        start_at as start_time: DateTime<Utc>,
        end_at as end_time: DateTime<Utc>,
        all_day: bool,
        attendees: Vec<String>,
        recurrence: String,
        #[creator] created_by: Option<UserId>,
    }
    filters {
        ends_after: DateTime<Utc> = "end_at > ?",
        starts_before: DateTime<Utc> = "start_at < ?",
        query: String = "search @@ websearch_to_tsquery('simple', ?)",
    }
    orders {
        "start_time" = start_at,
        "create_time desc" = created_at,
    }
}
