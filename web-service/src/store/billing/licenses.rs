//! A licence that the platform has given to the organization.

use crate::resource::resource;
use chrono::{DateTime, Utc};
use shared_db::ids::LicenseId;

resource! {
    /// A licence that the platform has given to the organization.
    License in web.licenses, tenant {
        name: String,
        reference: String,
        seats_max: i32,
        valid_from as valid_from_time: DateTime<Utc>,
        valid_until as valid_until_time: Option<DateTime<Utc>>,
    }
}
