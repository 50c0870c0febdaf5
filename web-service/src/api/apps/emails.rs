//! `EmailService`.

use crate::{resource::service, store::apps::emails::Email};

service! { Email of emails, get, list, create, update, delete }
