//! What is started to be measured: whole systems, and servers that do nothing, to compare with.

mod gateway;
pub mod reference;
pub mod system;
