//! The `powerform` binary.

fn main() {}
