//! Programs as child processes: where they are, what they are told, where they write, and that they end.

pub mod binaries;
pub mod child;
pub mod dirs;
pub mod logged;
pub mod process;
pub mod settings;
