//! `FileFolderService`.

use crate::{resource::service, store::apps::file_folders::FileFolder};

service! { FileFolder of file_folders, get, list, create, update, delete }
