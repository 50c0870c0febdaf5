//! Update masks: which fields of a resource an update sets.

use super::rules;
use crate::error::Result;
use prost::Name;
use prost_types::FieldMask;

/// The fields that an update sets, all of them among those that callers may change.
///
/// ```text
/// let mask = Mask::new::<pb::CoreAction>(request.update_mask)?;
/// let patch = CoreActionPatch { name: mask.pick("name", action.name), … };
/// ```
#[derive(Clone, Debug)]
pub struct Mask(Vec<String>);

impl Mask {
    /// Absent, empty and `*` mean all that may be changed. Anything else names top-level fields of `R`.
    pub fn new<R: Name>(mask: Option<FieldMask>) -> Result<Self> {
        let resource = rules::descriptor(&R::full_name())?;
        let paths = mask.map(|it| it.paths).unwrap_or_default();
        rules::mask_paths(&resource, &paths).map(Self)
    }

    /// `Some(value)` when the update sets the field.
    pub fn pick<T>(&self, field: &str, value: T) -> Option<T> {
        self.has(field).then_some(value)
    }

    pub fn has(&self, field: &str) -> bool {
        self.0.iter().any(|it| it == field)
    }

    /// The fields that the update sets, for the audit trail.
    pub fn fields(&self) -> Vec<String> {
        self.0.clone()
    }
}
