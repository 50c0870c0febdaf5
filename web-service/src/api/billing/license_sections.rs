//! `LicenseSectionService`.

use crate::{resource::service, store::billing::license_sections::LicenseSection};

service! { LicenseSection of license_sections, get, list, create, update, delete }
