//! `CatalogIntegrationService`.

use crate::{resource::service, store::integrations::catalog_integrations::CatalogIntegration};

service! { CatalogIntegration of catalog_integrations, get, list, create, update, delete }
