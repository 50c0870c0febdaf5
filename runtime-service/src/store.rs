//! The statements of the runtime: one module a table.

/// A statement of a worker: it takes its rows from the queue row under the worker's token, so that with an old token it changes
/// nothing. `$1`, `$2`, `$3` are the lease.
macro_rules! fenced {
    ($tail:literal, $lease:expr $(, $arg:expr)* $(,)?) => {
        sqlx::query!(
            "with lease as (
                select org_id, execution_id
                from runtime.execution_queue
                where org_id = $1 and execution_id = $2 and lease_token = $3
                for update
            ) " + $tail,
            $lease.org.0,
            $lease.execution.0,
            $lease.token
            $(, $arg)*
        )
    };
}

pub mod actions;
pub mod agents;
pub mod dead_letters;
pub mod events;
pub mod executions;
pub mod input_requests;
pub mod keys;
pub mod lease;
pub mod limits;
pub mod purges;
pub mod queue;
pub mod signals;
pub mod steps;
pub mod turns;
pub mod usable;
pub mod workers;
pub mod workflow_data;
