//! An email of one user. Nobody else sees it, whatever their role.

use crate::{resource::resource, store::enums::EmailFolder};
use chrono::{DateTime, Utc};
use shared_db::ids::EmailId;

resource! {
    /// An email of one user. Nobody else sees it, whatever their role.
    Email in web.emails, private {
        folder: EmailFolder,
        from_address: String,
        to_addresses: Vec<String>,
        cc_addresses: Vec<String>,
        subject: String,
        body: String,
        message_id: Option<String>,
        conversation: String,
        labels: Vec<String>,
        read: bool,
        starred: bool,
        sent_at as sent_time: Option<DateTime<Utc>>,
    }
    filters {
        folder: EmailFolder = "folder = ?",
        conversation: String = "conversation = ?",
        unread: Flag = "not read",
        starred: bool = "starred = ?",
        label: String = "labels @> array[?]",
        query: String = "search @@ websearch_to_tsquery('simple', ?)",
        sent_time_from: DateTime<Utc> = "coalesce(sent_at, timestamptz '1000-01-01 00:00:00+00') >= ?",
        sent_time_before: DateTime<Utc> = "sent_at is not null and coalesce(sent_at, timestamptz '1000-01-01 00:00:00+00') < ?",
    }
    orders {
        "create_time desc" = created_at,
        "sent_time desc" = sent_at,
    }
}
