-- Core actions call tools of MCP servers, and compute.

alter type web.action_kind add value 'mcp';
alter type web.action_kind add value 'transform';
