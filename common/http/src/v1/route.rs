//! The routes of /v1, as they are bound: what the reference, access and the gate go by.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use actix_web::HttpRequest;
use actix_web::dev::ServiceRequest;

/// The scope of what everybody may ask.
pub const PUBLIC: &str = "public";

/// One method of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// `GET`, `POST`, …; `GET` stands for `HEAD` too, unless it is a stream.
    pub method: &'static str,
    /// What a caller has to be allowed to: a word like `products:write`, or [`PUBLIC`].
    pub scope: &'static str,
    /// Whether a body or an answer of any length goes through it. The handler reads such a body, with limits of its own.
    pub is_stream: bool,
}

/// A path with all its methods.
#[derive(Debug, PartialEq, Eq)]
pub struct Path {
    /// The service that has it.
    pub service: &'static str,
    /// The path, with its arguments in braces.
    pub path: &'static str,
    /// Its methods.
    pub routes: Vec<Route>,
    /// Its methods, as the header `Allow` names them.
    pub allow: String,
}

impl Path {
    /// The path that a request has reached.
    pub fn of(request: &HttpRequest) -> Option<&'static Path> {
        request.app_data::<&'static Path>().copied()
    }

    /// The route of a method; that of `GET` for `HEAD`.
    pub fn route(&self, method: &str) -> Option<&Route> {
        let method = if method == "HEAD" { "GET" } else { method };
        self.routes.iter().find(|route| route.method == method)
    }
}

/// The paths of this process by their templates.
static PATHS: Mutex<BTreeMap<&'static str, &'static Path>> = Mutex::new(BTreeMap::new());

/// Notes a path. Each thread binds the same ones.
pub(super) fn register(path: Path) -> &'static Path {
    let mut paths = PATHS.lock().unwrap_or_else(PoisonError::into_inner);
    paths.entry(path.path).or_insert_with(|| Box::leak(Box::new(path)))
}

/// All paths that this process has bound.
pub fn all() -> Vec<&'static Path> {
    PATHS.lock().unwrap_or_else(PoisonError::into_inner).values().copied().collect()
}

/// Whether the body of a request is read as a stream.
pub fn is_streamed(request: &ServiceRequest) -> bool {
    let Some(pattern) = request.match_pattern() else { return false };
    let path = PATHS.lock().unwrap_or_else(PoisonError::into_inner).get(pattern.as_str()).copied();
    path.and_then(|path| path.route(request.method().as_str())).is_some_and(|route| route.is_stream)
}
