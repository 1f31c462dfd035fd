//! A load: which calls, on what, how fast, and what was answered.

pub mod answers;
pub mod books;
pub mod calls;
pub mod drive;
pub mod fill;
pub mod orders;
pub mod pace;
pub mod progress;
pub mod timeline;
