//! The console: one page that shows what the system is doing, and the few safe things that can be done from it.
//!
//! All that it needs is in this binary. Whoever may see it is decided in `access.rs`.

pub mod access;
pub mod feed;
pub(crate) mod pages;
mod sample;
pub mod settings;
mod settled;
mod stream;
mod top_items;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use access::{Access, Refused};
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use feed::Feed;
use serde::Deserialize;
use serde_json::json;
use shardcart_http::endpoint;
use shardcart_http::gate::Gate;
use shardcart_http::problem::Problem;
use shardcart_order::participants::Participants;
use shardcart_order::settle_now::{SettledNow, settle_now};
use shardcart_store::shards::Shards;
use shardcart_types::code::Code;
use shardcart_types::ids::OrderId;

use crate::inspect;
use crate::sources::Sources;
use crate::status::Status;

/// How long one "settle now" may take.
const SETTLE_MAX: Duration = Duration::from_secs(8);
/// How long one search may take.
const SEARCH_MAX: Duration = Duration::from_secs(5);

/// What the console works with, in one thread.
pub struct Console {
    /// Who may see it.
    pub access: Arc<Access>,
    /// What is shown as it happens.
    pub feed: Arc<Feed>,
    /// Who is asked about ids and shards.
    pub sources: Sources,
    /// The order shards.
    pub shards: Arc<Shards>,
    /// The clients of stock and payment, for settling.
    pub participants: Rc<Participants>,
    /// Tells when the machine stops.
    pub gate: Arc<Gate>,
}

type Data = web::Data<Rc<Console>>;

/// Binds `/console` and what is below it.
pub fn endpoints(config: &mut web::ServiceConfig, console: Rc<Console>) {
    config
        .app_data(web::Data::new(console))
        .service(endpoint::plain_get("/console", page))
        .service(endpoint::plain_get("/console/", || async { see_page() }))
        .service(endpoint::plain_get("/console/console.css", || async { pages::asset("text/css", pages::STYLE) }))
        .service(endpoint::plain_get("/console/console.js", || async {
            pages::asset("text/javascript", pages::PROGRAM)
        }))
        .service(endpoint::plain_get("/console/chart.js", || async { pages::asset("text/javascript", pages::CHART) }))
        .service(endpoint::plain_get("/console/icon.svg", || async { pages::asset("image/svg+xml", pages::ICON) }))
        .service(endpoint::plain_post("/console/login", login))
        .service(endpoint::plain_post("/console/logout", logout))
        .service(endpoint::plain_get("/console/events", events))
        .service(endpoint::plain_get("/console/status", status))
        .service(endpoint::plain_get("/console/inspect/{id}", search))
        .service(endpoint::plain_post("/console/settle/{order}", settle));
}

/// The page itself, or the form that asks for the token.
async fn page(console: Data, request: HttpRequest) -> HttpResponse {
    match console.access.admit(&request) {
        Ok(()) => pages::console(console.access.is_locked()),
        Err(Refused::Login | Refused::TooMany | Refused::Unreadable) => pages::login(HttpResponse::Ok(), ""),
        Err(Refused::Forbidden(why)) => pages::forbidden(why),
    }
}

fn see_page() -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, "/console")).finish()
}

#[derive(Deserialize)]
struct Login {
    token: String,
}

/// Takes the token, and leaves it with the browser as a cookie that scripts cannot read.
/// Who may not be here is told so whatever the form is.
async fn login(console: Data, request: HttpRequest, form: Result<web::Form<Login>, actix_web::Error>) -> HttpResponse {
    if let Err(problem) = access::same_site(&request) {
        return problem.error_response();
    }
    let cookie = console.access.may_log_in(&request).and_then(|()| match &form {
        Ok(form) => console.access.log_in(&request, &form.token),
        Err(_) => Err(Refused::Unreadable),
    });
    match cookie {
        Ok(cookie) => HttpResponse::SeeOther()
            .insert_header((header::LOCATION, "/console"))
            .insert_header((header::SET_COOKIE, cookie))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .finish(),
        Err(Refused::Login) => pages::login(HttpResponse::Unauthorized(), "That is not the token."),
        Err(Refused::TooMany) => {
            pages::login(HttpResponse::TooManyRequests(), "That is not the token. Many wrong ones came just now.")
        }
        Err(Refused::Unreadable) => Problem::from(Refused::Unreadable).error_response(),
        Err(Refused::Forbidden(why)) => pages::forbidden(why),
    }
}

async fn logout(console: Data, request: HttpRequest) -> Result<HttpResponse, Problem> {
    console.may_act(&request)?;
    Ok(HttpResponse::NoContent().insert_header((header::SET_COOKIE, access::FORGET)).finish())
}

/// All that happens, as server-sent events.
async fn events(console: Data, request: HttpRequest) -> Result<HttpResponse, Problem> {
    console.may_see(&request)?;
    let Some(stream) = stream::Stream::open(&console.feed, &console.gate) else {
        return Err(Problem::new(Code::Overloaded, "too many consoles are open; close one"));
    };
    Ok(pages::private(HttpResponse::Ok())
        .content_type("text/event-stream")
        // For a proxy that would wait until it has more to pass on.
        .insert_header(("X-Accel-Buffering", "no"))
        .streaming(stream.into_events()))
}

/// How the system is now: what `shop status` prints.
async fn status(console: Data, request: HttpRequest) -> Result<HttpResponse, Problem> {
    console.may_see(&request)?;
    let system = console.feed.system(&console.sources, &console.shards).await;
    let throughput = console.feed.throughput();
    Ok(pages::private(HttpResponse::Ok()).json(Status { system, throughput: Some(throughput) }))
}

/// What lies under an id.
async fn search(console: Data, request: HttpRequest, id: web::Path<String>) -> Result<HttpResponse, Problem> {
    console.may_see(&request)?;
    let found = tokio::time::timeout(SEARCH_MAX, inspect::inspect(&console.sources, &id)).await;
    let found = found.map_err(|_| Problem::shard_unavailable())?;
    let found = found.map_err(|refused| Problem::new(Code::InvalidId, refused))?;
    Ok(pages::private(HttpResponse::Ok()).json(found))
}

/// Recovers an attempt now.
async fn settle(console: Data, request: HttpRequest, order: web::Path<String>) -> Result<HttpResponse, Problem> {
    console.may_act(&request)?;
    let order = OrderId::parse(&order).map_err(|refused| Problem::new(Code::InvalidId, refused))?;
    let settled = tokio::time::timeout(SETTLE_MAX, settle_now(&console.participants, &order)).await;
    let outcome: SettledNow = match settled {
        Ok(Ok(settled)) => settled,
        Ok(Err(error)) => {
            log::warn!(order:%, error:%; "an attempt could not be settled at an operator's word");
            return Err(Problem::shard_unavailable());
        }
        Err(_) => return Err(Problem::shard_unavailable()),
    };
    let mut answer = json!(outcome);
    answer["words"] = json!(settled::words(&outcome));
    Ok(pages::private(HttpResponse::Ok()).json(answer))
}

impl Console {
    fn may_see(&self, request: &HttpRequest) -> Result<(), Problem> {
        access::same_site(request)?;
        self.access.admit(request).map_err(Problem::from)
    }

    /// For what does something: a page of another origin must not be able to ask for it.
    fn may_act(&self, request: &HttpRequest) -> Result<(), Problem> {
        self.may_see(request)?;
        access::by_hand(request)
    }
}

impl From<Refused> for Problem {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Login => Problem::new(Code::Unauthorized, "the console wants its token: Authorization: Bearer"),
            Refused::TooMany => Problem::new(Code::Overloaded, "that is not the token; many wrong ones came just now"),
            Refused::Unreadable => Problem::new(Code::InvalidBody, "the form cannot be read"),
            Refused::Forbidden(why) => Problem::new(Code::Forbidden, why),
        }
    }
}
