//! What a person who opens the address of a machine is told.

use actix_web::{HttpResponse, web};

use crate::endpoint;

/// Binds `/` of the machine of `program`, with what else there is to look at.
pub fn endpoints(config: &mut web::ServiceConfig, program: &'static str, more: &[&'static str]) {
    let lines: String = more.iter().map(|line| format!("{line}\n")).collect();
    let text = format!(
        "{program} of Shardcart {}\n\nGET /health/live\nGET /health/ready\n{lines}\n\
         The API is described in docs/use/http-api.md, errors in docs/use/errors.md.\n",
        env!("CARGO_PKG_VERSION")
    );
    let text = web::Bytes::from(text);
    config.service(endpoint::plain_get("/", move || {
        let text = text.clone();
        async move { HttpResponse::Ok().content_type("text/plain; charset=utf-8").body(text) }
    }));
}
