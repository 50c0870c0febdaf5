-- With half of each page left, the last of the twenty executions on it found no room for its second version, which is longer. Its indexes were
-- written again, and since such a row was on every page, each vacuum of the table read all of its indexes: the longer, the more there is.
alter table runtime.agent_executions set (fillfactor = 45);
