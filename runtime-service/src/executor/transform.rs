//! Values computed from the input of a step: nobody is called.

use super::{Call, Effect, Performed, Prepared, action::Action, shape::Shaper};
use crate::store::actions::Evidence;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::sync::Arc;

/// Performs the actions of kind `transform`.
#[derive(Clone)]
pub(super) struct TransformExecutor {
    shaper: Shaper,
}

impl TransformExecutor {
    pub(super) fn new(shaper: Shaper) -> Self {
        Self { shaper }
    }

    /// Makes a call ready.
    pub(super) fn prepare(&self, filter: &str, call: &Call<'_>) -> Box<dyn Prepared> {
        Box::new(PreparedTransform {
            shaper: self.shaper.clone(),
            action: call.action.clone(),
            filter: filter.to_owned(),
            input: call.input.to_string().into_bytes(),
        })
    }
}

struct PreparedTransform {
    shaper: Shaper,
    action: Arc<Action>,
    filter: String,
    input: Vec<u8>,
}

impl Prepared for PreparedTransform {
    fn request(&self) -> Value {
        json!({ "filter": self.filter })
    }

    fn perform(self: Box<Self>) -> BoxFuture<'static, Performed> {
        Box::pin(async move {
            let Self { shaper, action, filter, input } = *self;
            let result = shaper.shape(&action, Some(&filter), input).await;
            Performed {
                evidence: Evidence::default(),
                result: result.map_err(|it| it.with_effect(Effect::None)),
            }
        })
    }
}
