//! What an action may say: its jq filters, its templates, its JSON Schemas, and the kinds of actions that they are parts of.
//!
//! web-service compiles them when an action is written, runtime-service when it is performed; both do it here, so that what was
//! accepted is what works. Nothing in this crate reads the process, the clock, the disk or the network.

pub mod filter;
pub mod http_call;
pub mod mcp_call;
pub mod schema;
pub mod template;
pub mod transform;
pub mod values;

pub use common_api::errors::ErrorReason as Reason;

/// What is wrong, and in which field, counted from the message that was checked. The field is empty for a lone rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    pub reason: Reason,
    pub field: String,
    pub problem: String,
}

impl Fault {
    fn new(reason: Reason, problem: impl Into<String>) -> Self {
        Self { reason, field: String::new(), problem: problem.into() }
    }

    /// The same fault, seen from the message that has it in `field`.
    #[must_use]
    pub fn within(mut self, field: &str) -> Self {
        self.field = match self.field.as_str() {
            "" => field.to_owned(),
            inner => format!("{field}.{inner}"),
        };
        self
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.field.as_str() {
            "" => f.write_str(&self.problem),
            field => write!(f, "{field}: {}", self.problem),
        }
    }
}

impl std::error::Error for Fault {}

pub type Result<T, E = Fault> = std::result::Result<T, E>;

#[cfg(test)]
mod tests;
