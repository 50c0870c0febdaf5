//! How research is done.

pub mod research_templates;
