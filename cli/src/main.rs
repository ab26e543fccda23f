//! The `emberlens` command.
fn main() {}
