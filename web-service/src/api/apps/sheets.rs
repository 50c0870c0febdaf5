//! `SheetService`.

use crate::{resource::service, store::apps::sheets::Sheet};

service! { Sheet of sheets, get, batch_get, list, create, update, delete, undelete }
