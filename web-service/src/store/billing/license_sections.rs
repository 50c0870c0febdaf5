//! A part of the product that a licence covers.

use crate::resource::{Object, resource};
use shared_db::ids::{LicenseId, LicenseSectionId};

resource! {
    /// A part of the product that a licence covers.
    LicenseSection in web.license_sections, tenant {
        #[fixed] license_id: LicenseId,
        #[fixed] section: String,
        enabled: bool,
        limits: Object,
    }
    filters {
        license_id: LicenseId = "license_id = ?",
    }
}
