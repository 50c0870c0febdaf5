-- Vacuum would cut a queue short that was long and is empty, and lock everybody out of it meanwhile: claims, starts and ends. Its pages are
-- needed again soon, and what is read of it goes by its indexes.
alter table runtime.execution_queue set (vacuum_truncate = off);
