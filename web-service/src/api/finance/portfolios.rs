//! `PortfolioService`.

use crate::{resource::service, store::finance::portfolios::Portfolio};

service! { Portfolio of portfolios, get, list, create, update, delete }
