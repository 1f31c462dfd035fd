//! Whose work this is: the trace, the request, the order and the attempt that every log line about a checkout names,
//! and the spans that are exported when a collector is set.
//!
//! A [`Context`] belongs to a request and is carried along by its task, so that the code in between does not have to
//! hand it on. Over the participant protocol an [`Origin`] travels with each operation.

pub mod context;
pub mod export;
mod otlp;
pub mod parent;
pub mod span;

pub use context::{About, Context, about_tx, aside, current, drives, own, step, within};
pub use parent::{Origin, TraceParent};
