//! Logging, then run; an error becomes one line and an exit code, here only.
fn main() {}
