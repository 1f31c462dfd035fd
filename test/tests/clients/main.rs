//! The description of /v1, as programs read it that others made: it is valid, what it says holds, and clients that are
//! generated of it work. `make clients` installs what this needs, and runs it.

mod generated;
mod holds;
mod tool;
