//! A value that is computed from the input.

use crate::{Result, filter};
use common_api::types::Transform;

pub fn check(transform: &Transform) -> Result<()> {
    filter::compile(&transform.filter).map(drop).map_err(|it| it.within("filter"))
}
