-- Core actions call tools of MCP servers, and compute.

alter type web.action_kind add value 'mcp' after 'http';
alter type web.action_kind add value 'transform' after 'mcp';
