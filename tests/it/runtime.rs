//! What agents do, done by the engine itself: on a real database, under the runtime's own role, against a real remote.

mod cancels;
mod claims;
mod fencing;
mod http;
mod limits;
mod measures;
mod retries;
mod states;
mod steps;

mod workshop;
