//! `ProjectService`.

use crate::{resource::service, store::apps::projects::Project};

service! { Project of projects, get, list, create, update, delete }
