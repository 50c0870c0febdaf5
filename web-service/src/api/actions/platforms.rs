//! `PlatformService`.

use crate::{resource::service, store::actions::platforms::Platform};

service! { Platform of platforms, get, list, create, update, delete }
