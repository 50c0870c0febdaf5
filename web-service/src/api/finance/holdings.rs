//! `HoldingService`.

use crate::{resource::service, store::finance::holdings::Holding};

service! { Holding of holdings, get, list, create, update, delete }
