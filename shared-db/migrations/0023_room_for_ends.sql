-- An execution's row is written when it starts and again when it ends. Half of each page is left for that, so that the second version finds room
-- beside the first and no index is written again: at 60 percent, four of ten found none.
alter table runtime.agent_executions set (fillfactor = 50);
