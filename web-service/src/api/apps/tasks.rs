//! `TaskService`.

use crate::{resource::service, store::apps::tasks::Task};

service! { Task of tasks, get, batch_get, list, create, update, delete, undelete }
