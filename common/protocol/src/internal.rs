//! The internal listener: the server side of the participant protocol, behind a shared secret.

use std::rc::Rc;
use std::time::Duration;

use actix_web::http::header::AUTHORIZATION;
use actix_web::{HttpRequest, HttpResponse, ResponseError, web};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use shardcart_http::endpoint::{self, is_authorized};
use shardcart_http::problem::Problem;
use shardcart_schema::limit::{REQUEST_MAX, STATUS_QUERIES_MAX, WANTED_MAX};
use shardcart_types::code::Code;
use shardcart_types::ids::ItemId;
use shardcart_types::secret::Secret;

use crate::fault::{self, Point};
use crate::insight::{Insight, Wanted};
use crate::orders::{Orders, StatusQuery};
use crate::participant::{Answer, Batch, Participant, ParticipantError, Prices};

/// Largest request, in bytes: a full batch of the largest carts.
const BODY_MAX: usize = 64 << 20;
/// How long a request's body may take to come.
const BODY_TIME: Duration = Duration::from_secs(5);
/// How long the batches of a request are waited for when one of them has ended.
const OTHERS_MAX: Duration = Duration::from_millis(100);

/// What an internal listener serves: [`of`](Internal::of) a service, then what it has, then
/// [`endpoints`](Internal::endpoints). What it does not have answers 404.
pub struct Internal {
    service: &'static str,
    token: Secret,
    participant: Option<Rc<dyn Participant>>,
    prices: Option<Rc<dyn Prices>>,
    orders: Option<Rc<dyn Orders>>,
    insight: Option<Rc<dyn Insight>>,
}

impl Internal {
    /// The internal side of a service, which has nothing to serve yet. `token` is what its callers have to know.
    pub fn of(service: &'static str, token: Secret) -> Self {
        Internal { service, token, participant: None, prices: None, orders: None, insight: None }
    }

    /// Takes part in checkouts.
    #[must_use]
    pub fn participant(self, participant: Rc<dyn Participant>) -> Self {
        Internal { participant: Some(participant), ..self }
    }

    /// Tells what items cost.
    #[must_use]
    pub fn prices(self, prices: Rc<dyn Prices>) -> Self {
        Internal { prices: Some(prices), ..self }
    }

    /// Tells how orders stand.
    #[must_use]
    pub fn orders(self, orders: Rc<dyn Orders>) -> Self {
        Internal { orders: Some(orders), ..self }
    }

    /// Shows what lies on its shards.
    #[must_use]
    pub fn insight(self, insight: Rc<dyn Insight>) -> Self {
        Internal { insight: Some(insight), ..self }
    }

    /// Binds `/internal/v1/…`.
    pub fn endpoints(self, config: &mut web::ServiceConfig) {
        let service = self.service;
        config
            .app_data(web::Data::new(self))
            .service(endpoint::post(service, "/internal/v1/batches", batches))
            .service(endpoint::post(service, "/internal/v1/topology", topology))
            .service(endpoint::post(service, "/internal/v1/may_have", may_have))
            .service(endpoint::post(service, "/internal/v1/price", price))
            .service(endpoint::post(service, "/internal/v1/order_statuses", order_statuses))
            .service(endpoint::post(service, "/internal/v1/shards", shards))
            .service(endpoint::post(service, "/internal/v1/look_up", look_up));
    }

    fn admit(&self, request: &HttpRequest) -> Result<(), Problem> {
        if is_authorized(request.headers().get(AUTHORIZATION), &self.token) {
            Ok(())
        } else {
            Err(Problem::new(Code::Unauthorized, "this listener is for the other services"))
        }
    }
}

type State = web::Data<Internal>;

/// The body is read only after the secret has been checked.
async fn body<T: serde::de::DeserializeOwned>(
    state: &State,
    request: &HttpRequest,
    payload: web::Payload,
) -> Result<T, Problem> {
    state.admit(request)?;
    let unreadable =
        |error: &dyn std::fmt::Display| Problem::new(Code::InvalidBody, format!("the body cannot be read: {error}"));
    let bytes = tokio::time::timeout(BODY_TIME, payload.to_bytes_limited(BODY_MAX)).await;
    let bytes = bytes.map_err(|error| unreadable(&error))?.map_err(|error| unreadable(&error))?;
    let bytes = bytes.map_err(|error| unreadable(&error))?;
    serde_json::from_slice(&bytes).map_err(|error| unreadable(&error))
}

/// Runs batches for several shards at once: the answers of each, or nothing for one that has none.
async fn batches(state: State, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Problem> {
    let batches: Vec<Batch> = body(&state, &request, payload).await?;
    let participant = state.participant.as_ref().ok_or_else(Problem::no_route)?;
    if batches.iter().map(|batch| batch.operations.len()).sum::<usize>() > REQUEST_MAX || batches.len() > REQUEST_MAX {
        return Err(Problem::new(Code::TooLarge, format!("a request has at most {REQUEST_MAX} operations")));
    }
    if batches.iter().any(|batch| batch.founding != batches[0].founding) {
        return Err(Problem::new(Code::InvalidBody, "all batches of a request are routed by the same founding shards"));
    }
    let ran = run_all(participant, batches).await;
    fault::point(Point::AfterScript);
    Ok(match ran {
        Ok(answers) => HttpResponse::Ok().json(answers),
        Err(error) => unanswered(&error),
    })
}

/// Runs batches. When one has ended, the others are given a little longer: what is at a silent shard holds up no other.
/// Fails if none of them is answered.
async fn run_all(
    participant: &Rc<dyn Participant>,
    batches: Vec<Batch>,
) -> Result<Vec<Option<Vec<Answer>>>, ParticipantError> {
    let mut answers = vec![None; batches.len()];
    let mut failure = None;
    let run = async |(place, batch)| (place, participant.run(batch).await);
    let mut running: FuturesUnordered<_> = batches.into_iter().enumerate().map(run).collect();
    let mut ended = running.next().await;
    let rest = async {
        while let Some((place, ran)) = ended {
            match ran {
                Ok(ran) => answers[place] = Some(ran),
                Err(error) => failure = Some(error),
            }
            ended = running.next().await;
        }
    };
    if tokio::time::timeout(OTHERS_MAX, rest).await.is_err() {
        log::warn!("a request's batches go without some of their answers: a shard is slow");
    }
    match failure {
        Some(error) if answers.iter().all(Option::is_none) => Err(error),
        _ => Ok(answers),
    }
}

async fn topology(state: State, request: HttpRequest) -> Result<HttpResponse, Problem> {
    state.admit(&request)?;
    let participant = state.participant.as_ref().ok_or_else(Problem::no_route)?;
    Ok(match participant.topology().await {
        Ok(topology) => HttpResponse::Ok().json(topology),
        Err(error) => unanswered(&error),
    })
}

async fn may_have(state: State, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Problem> {
    let shard: u16 = body(&state, &request, payload).await?;
    let participant = state.participant.as_ref().ok_or_else(Problem::no_route)?;
    Ok(match participant.may_have(shard).await {
        Ok(may_have) => HttpResponse::Ok().json(may_have),
        Err(error) => unanswered(&error),
    })
}

async fn price(state: State, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Problem> {
    let item: ItemId = body(&state, &request, payload).await?;
    let prices = state.prices.as_ref().ok_or_else(Problem::no_route)?;
    Ok(match prices.price(&item).await {
        Ok(price) => HttpResponse::Ok().json(price),
        Err(error) => unanswered(&error),
    })
}

async fn order_statuses(state: State, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Problem> {
    let asked: Vec<StatusQuery> = body(&state, &request, payload).await?;
    let orders = state.orders.as_ref().ok_or_else(Problem::no_route)?;
    if asked.len() > STATUS_QUERIES_MAX {
        return Err(Problem::new(
            Code::TooLarge,
            format!("at most {STATUS_QUERIES_MAX} orders can be asked about at once"),
        ));
    }
    match orders.order_statuses(asked).await {
        Ok(statuses) => Ok(HttpResponse::Ok().json(statuses)),
        Err(cause) => {
            log::error!(cause:%; "a question about orders stays unanswered");
            Err(Problem::shard_unavailable())
        }
    }
}

async fn shards(state: State, request: HttpRequest) -> Result<HttpResponse, Problem> {
    state.admit(&request)?;
    let insight = state.insight.as_ref().ok_or_else(Problem::no_route)?;
    insight.shards().await.map(|shards| HttpResponse::Ok().json(shards)).map_err(|_| Problem::shard_unavailable())
}

async fn look_up(state: State, request: HttpRequest, payload: web::Payload) -> Result<HttpResponse, Problem> {
    let wanted: Vec<Wanted> = body(&state, &request, payload).await?;
    let insight = state.insight.as_ref().ok_or_else(Problem::no_route)?;
    if wanted.len() > WANTED_MAX {
        return Err(Problem::new(Code::TooLarge, format!("at most {WANTED_MAX} things can be looked up at once")));
    }
    insight.look_up(wanted).await.map(|seen| HttpResponse::Ok().json(seen)).map_err(|_| Problem::shard_unavailable())
}

fn unanswered(error: &ParticipantError) -> HttpResponse {
    match error {
        ParticipantError::Misrouted { topology, .. } => HttpResponse::Conflict().json(topology),
        // Whoever found it out has logged it, at a bounded rate.
        ParticipantError::BeyondList { shard, .. } | ParticipantError::NoShard { shard, .. } => {
            HttpResponse::MisdirectedRequest().json(shard)
        }
        ParticipantError::Unanswered { .. } => {
            log::error!(error:%; "a batch stays unanswered");
            Problem::shard_unavailable().error_response()
        }
    }
}
