//! `IntegrationService`.

use crate::{resource::service, store::integrations::integrations::Integration};

service! { Integration of integrations, get, list, create, update, delete }
