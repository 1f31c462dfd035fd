//! The console's pages and their parts: all of it is in this binary, and nothing is asked of anyone else.

use actix_web::http::header::{self, ContentType};
use actix_web::{HttpResponse, HttpResponseBuilder};

/// The page's style.
pub const STYLE: &str = include_str!("page/console.css");
/// The page's program.
pub const PROGRAM: &str = include_str!("page/console.js");
/// The curves.
pub const CHART: &str = include_str!("page/chart.js");
/// The page's icon.
pub const ICON: &str = include_str!("page/icon.svg");

const PAGE: &str = include_str!("page/console.html");
const LOGIN: &str = include_str!("page/login.html");
/// Where a page says what went wrong.
const MESSAGE: &str = "<!-- message -->";

/// Scripts, styles and connections of this origin alone; nothing inline, and nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The console. One that wants a token can be told to forget it.
pub fn console(is_locked: bool) -> HttpResponse {
    let page = if is_locked { PAGE.replace("<body>", "<body class=\"locked\">") } else { PAGE.to_owned() };
    private(HttpResponse::Ok()).content_type(ContentType::html()).body(page)
}

/// The form that asks for the token.
pub fn login(answer: HttpResponseBuilder, message: &'static str) -> HttpResponse {
    let message = format!("<p class=\"wrong\" role=\"alert\">{message}</p>");
    let message = if message.contains("></p>") { String::new() } else { message };
    private(answer).content_type(ContentType::html()).body(LOGIN.replace(MESSAGE, &message))
}

/// Why there is no console here.
pub fn forbidden(why: &'static str) -> HttpResponse {
    let page = format!(
        "<!doctype html><html lang=\"en\"><title>Shardcart</title><main><h1>No console here</h1><p>{why}</p></main></html>"
    );
    private(HttpResponse::Forbidden()).content_type(ContentType::html()).body(page)
}

/// A part of the page. It tells nothing of the system, so everyone may have it.
pub fn asset(media_type: &'static str, content: &'static str) -> HttpResponse {
    let mut answer = HttpResponse::Ok();
    guarded(&mut answer).insert_header((header::CACHE_CONTROL, "no-cache"));
    answer.content_type(format!("{media_type}; charset=utf-8")).body(content)
}

/// An answer that is for this client alone.
pub fn private(mut answer: HttpResponseBuilder) -> HttpResponseBuilder {
    guarded(&mut answer).insert_header((header::CACHE_CONTROL, "no-store"));
    answer
}

fn guarded(answer: &mut HttpResponseBuilder) -> &mut HttpResponseBuilder {
    answer
        .insert_header((header::CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::X_FRAME_OPTIONS, "DENY"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .insert_header((header::CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"))
}
