//! An app that actions and integrations belong to, such as GitHub: the same for all organizations.

use crate::resource::resource;
use shared_db::ids::PlatformId;

resource! {
    /// An app that actions and integrations belong to, such as GitHub: the same for all organizations.
    Platform in web.app_platforms, global, plural(platforms) {
        #[fixed] slug: String,
        name: String,
        description: Option<String>,
        url: Option<String>,
    }
}
