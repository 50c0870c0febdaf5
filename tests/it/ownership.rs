//! The database boundary: that it is there, that it holds, and that every way around it is found.

mod probe;
