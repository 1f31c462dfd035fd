//! A span: one thing that was done for a trace, from when to when.

use std::time::Instant;

use super::parent::TraceParent;

/// A span that has ended.
#[derive(Debug)]
pub struct Span {
    /// `order`, `stock` or `payment`.
    pub service: &'static str,
    /// What was done.
    pub name: String,
    /// Its own id, and its trace.
    pub own: TraceParent,
    /// What it was a part of.
    pub outer: Option<u64>,
    /// When it began.
    pub began: Instant,
    /// When it ended.
    pub ended: Instant,
    /// Whether it serves a client's request.
    pub serves: bool,
    /// Whether it did not do what it should.
    pub failed: bool,
    /// What else is known.
    pub attributes: Vec<(&'static str, String)>,
}

impl Span {
    /// A span that ends now.
    pub fn new(service: &'static str, name: String, own: TraceParent, outer: Option<u64>, began: Instant) -> Self {
        let (ended, attributes) = (Instant::now(), Vec::new());
        Span { service, name, own, outer, began, ended, serves: false, failed: false, attributes }
    }

    /// Adds what else is known.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: &(impl ToString + ?Sized)) -> Self {
        self.attributes.push((name, value.to_string()));
        self
    }

    /// Adds what else is known, if it is.
    #[must_use]
    pub fn with_some<T: ToString>(self, name: &'static str, value: Option<&T>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }
}
