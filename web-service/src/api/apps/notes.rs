//! `NoteService`.

use crate::{resource::service, store::apps::notes::Note};

service! { Note of notes, get, batch_get, list, create, update, delete, undelete }
