//! The call of an MCP server's tool, checked as far as it can be without an input.

use crate::{Fault, Reason, Result, http_call};
use common_api::types::McpCall;

/// Checks the address, the headers and the filter. Field rules of the proto are checked elsewhere, before.
pub fn check(call: &McpCall) -> Result<()> {
    http_call::check_target(&call.url, &call.headers)?;
    for name in call.headers.keys() {
        if is_of_the_protocol(name) {
            let fault = Fault::new(Reason::InvalidField, "is set by the protocol of MCP");
            return Err(fault.within(&http_call::header_field(name)));
        }
    }
    http_call::check_filter(&call.response_filter)
}

fn is_of_the_protocol(header: &str) -> bool {
    let header = header.to_ascii_lowercase();
    matches!(header.as_str(), "accept" | "content-type") || header.starts_with("mcp-")
}
