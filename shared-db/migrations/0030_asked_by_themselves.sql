-- squawk-ignore-file require-concurrent-index-creation
-- Who is asked to stop or to pause is found without a look at all that their worker holds, and has held.
create index execution_queue_asked on runtime.execution_queue (execution_id)
    where phase = 'held' and (cancel_requested or pause_requested);
