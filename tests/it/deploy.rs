//! What is deployed, as objects: `kubectl kustomize` renders every overlay, and each promise of deploy/README.md is asked of the result.
//!
//! A rule is a function that lists what is wrong with some objects. It finds nothing in what is rendered, and is shown objects with a
//! fault planted, in which it must. No cluster is needed, and none is asked: that Kubernetes does as the objects say is taken from its
//! documentation.

mod certificates;
mod compose;
mod images;
mod life;
mod metrics;
mod network;
mod objects;
mod readme;
mod roles;
mod scale;
mod secrets;
mod security;
mod settings;
mod workloads;
mod yaml;
