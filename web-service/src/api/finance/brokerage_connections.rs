//! `BrokerageConnectionService`.

use crate::{resource::service, store::finance::brokerage_connections::BrokerageConnection};

service! { BrokerageConnection of brokerage_connections, get, list, create, update, delete }
