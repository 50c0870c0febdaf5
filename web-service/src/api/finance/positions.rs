//! `PositionService`.

use crate::{resource::service, store::finance::positions::Position};

service! { Position of positions, get, list, create, update, delete }
