//! Who there is, and what they have asked.

pub mod request_ids;
