//! `LicenseService`.

use crate::{resource::service, store::billing::licenses::License};

service! { License of licenses, get, list, create, update, delete }
