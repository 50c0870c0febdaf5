//! What agents do, done by the engine itself: on a real database, under the runtime's own role, against a real remote.

mod cancels;
mod caps;
mod children;
mod claims;
mod costs;
mod decisions;
mod drains;
mod explains;
mod fairness;
mod fencing;
mod forks;
mod http;
mod letters;
mod limits;
mod mcp;
mod measures;
mod pauses;
mod plans;
mod retries;
mod states;
mod steps;
mod transforms;
mod waits;

mod workshop;
