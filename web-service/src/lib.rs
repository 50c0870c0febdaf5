//! web-service: what people own, and the only way in for callers.

pub mod store;
