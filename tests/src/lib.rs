//! The harness of the one test binary: databases, services, organizations and remotes that are real, each made for one test.
//!
//! - [`stack`]: both services in this process, over real TCP; [`process`]: the same as child processes that can be killed;
//! - [`doors`]: the ways in, and [`org`]: organizations with somebody of each role;
//! - [`client`]: whoever calls, typed or by name;
//! - [`certificates`]: an authority, for mTLS;
//! - [`database`]: a database of its own for each test, from a template that is migrated once;
//! - [`reach`]: how the demo and the bench reach services that run already;
//! - [`netns`]: hosts of their own, on networks as those of a compose file;
//! - [`proxy`]: a wire to the database that can be cut, delayed, starved or made deaf;
//! - [`chaos`]: replicas under load, what goes wrong with them, and the reckoning;
//! - [`steady`]: a steady load, and what became of each call;
//! - [`wire`]: one that counts what is said on it;
//! - [`kernel`]: what processes take of the machine;
//! - [`remote`]: an HTTP server that stands for a SaaS and keeps the log that tests believe instead of ours;
//! - [`s3`]: a fake that speaks S3, and checks the signatures of what it is asked;
//! - [`errors`]: what a status says to a program.

pub mod certificates;
pub mod chaos;
pub mod client;
pub mod database;
pub mod doors;
pub mod errors;
pub mod kernel;
pub mod netns;
pub mod org;
pub mod process;
pub mod proxy;
pub mod reach;
pub mod remote;
pub mod s3;
pub mod settings;
pub mod stack;
pub mod steady;
pub mod wire;
