//! `CalendarEventService`.

use crate::{resource::service, store::apps::calendar_events::CalendarEvent};

service! { CalendarEvent of calendar_events, get, list, create, update, delete }
