//! Where nginx is.

/// The directories in which nginx may be: it is not always installed where a user looks for programs.
pub fn search_path() -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{path}:/usr/sbin:/usr/local/sbin")
}
