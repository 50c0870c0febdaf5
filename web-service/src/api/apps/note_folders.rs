//! `NoteFolderService`.

use crate::{resource::service, store::apps::note_folders::NoteFolder};

service! { NoteFolder of note_folders, get, list, create, update, delete }
