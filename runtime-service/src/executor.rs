//! What actions do: one file for each kind.
