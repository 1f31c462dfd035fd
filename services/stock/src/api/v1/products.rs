//! Single products: created, read, written, changed, archived.

use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, web};
use serde::Deserialize;
use shardcart_http::args::{Args, Argument};
use shardcart_http::idempotency::Replayable as _;
use shardcart_http::problem::Problem;
use shardcart_http::v1::idempotency::{self, Key};
use shardcart_http::v1::json::{Json, Patch};
use shardcart_http::v1::precondition::{self, Preconditions, tag};
use shardcart_http::v1::query::Query;
use shardcart_store::idempotency::Done;
use shardcart_types::code::Code;
use shardcart_types::ids::ItemId;
use utoipa::ToSchema;

use super::problems::invalid;
use super::told::{Told, Wanted};
use crate::api::State;
use crate::products::change::{self, Changed, Expect, Keyed};
use crate::products::content::{self, Content};
use crate::products::error::ProductError;
use crate::products::{Product, lookup};

type Result<T> = std::result::Result<T, Problem>;
type Data = web::Data<State>;

/// What a read of a product may ask for besides.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Ask {
    /// What is included
    include: Option<Include>,
}

/// What may be included.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Include {
    /// Its stock
    Stock,
}

/// A handle in a path.
#[derive(Debug)]
pub(super) struct Handle(String);

impl Argument for Handle {
    fn parse(segment: &str) -> Result<Self> {
        if content::is_handle(segment) {
            Ok(Handle(segment.to_owned()))
        } else {
            Err(Problem::new(
                Code::InvalidId,
                "a handle has 1 to 64 characters of a-z 0-9 . _ -, a letter or digit first",
            ))
        }
    }
}

pub(super) fn keyed(key: Option<&idempotency::Keyed>) -> Option<Keyed<'_>> {
    key.map(|keyed| Keyed { key: &keyed.key, request: &keyed.request })
}

fn expect(preconditions: &Preconditions) -> Result<Expect> {
    Ok(match preconditions.expect()? {
        precondition::Expect::Anything => Expect::Any,
        precondition::Expect::Absent => Expect::Absent,
        precondition::Expect::Present => Expect::Present,
        precondition::Expect::Revisions(revisions) => Expect::Revisions(revisions),
    })
}

fn checked(content: Content) -> Result<Content> {
    content.checked().map_err(invalid)
}

/// A product with its tag.
fn tagged(mut response: actix_web::HttpResponseBuilder, product: Product) -> HttpResponse {
    let revision = product.revision;
    let mut response = response.json(Told::of(product, false));
    tag(&mut response, revision);
    response
}

/// Create a product
///
/// Its id is minted. With an `Idempotency-Key` a repeat creates nothing.
#[utoipa::path(
    post,
    path = "/v1/products",
    operation_id = "create_product",
    tag = "products",
    request_body = Wanted,
    responses((status = 201, description = "It was created", body = Told, headers(("ETag" = String, description = "Its revision")))),
)]
pub(super) async fn create(state: Data, Key(key): Key, Json(wanted): Json<Wanted>) -> Result<HttpResponse> {
    let (content, price) = wanted.parts();
    let content = checked(content)?;
    let created = change::create(&state.shards, &content, price, keyed(key.as_ref())).await?;
    Ok(created.answer(|product| {
        let mut response = HttpResponse::Created();
        response.insert_header((LOCATION, format!("/v1/products/{}", product.id)));
        tagged(response, product)
    }))
}

/// Read a product
///
/// Archived ones, too. With `include=stock` there is no `ETag`, because stock has no part in it.
#[utoipa::path(
    get,
    path = "/v1/products/{id}",
    operation_id = "show_product",
    tag = "products",
    params(("id" = String, Path, description = "The product: 1 to 64 characters of `A-Z a-z 0-9 _ . -`"), Ask),
    responses((status = 200, description = "The product", body = Told, headers(("ETag" = String, description = "Its revision"))), (status = 304, description = "It is as `If-None-Match` says")),
)]
pub(super) async fn show(
    state: Data,
    Args((id,)): Args<(ItemId,)>,
    Query(ask): Query<Ask>,
    preconditions: Preconditions,
) -> Result<HttpResponse> {
    told(lookup::by_id(&state.shards, &id).await?, &ask, &preconditions)
}

/// Read a product by its handle
#[utoipa::path(
    get,
    path = "/v1/products/by-handle/{handle}",
    operation_id = "show_product_by_handle",
    tag = "products",
    params(("handle" = String, Path, description = "Its handle"), Ask),
    responses((status = 200, description = "The product", body = Told, headers(("ETag" = String, description = "Its revision"))), (status = 304, description = "It is as `If-None-Match` says")),
)]
pub(super) async fn show_by_handle(
    state: Data,
    Args((handle,)): Args<(Handle,)>,
    Query(ask): Query<Ask>,
    preconditions: Preconditions,
) -> Result<HttpResponse> {
    told(lookup::by_handle(&state.shards, &handle.0).await?, &ask, &preconditions)
}

fn told(product: Product, ask: &Ask, preconditions: &Preconditions) -> Result<HttpResponse> {
    match ask.include {
        Some(Include::Stock) => Ok(HttpResponse::Ok().json(Told::of(product, true))),
        None => preconditions.answer(product.revision, || HttpResponse::Ok().json(Told::of(product, false))),
    }
}

/// Write a product under an id of yours
///
/// It is written whole: what is left out is as for a new product, but for the handle, which stays. It may be repeated.
#[utoipa::path(
    put,
    path = "/v1/products/{id}",
    operation_id = "replace_product",
    tag = "products",
    params(("id" = String, Path, description = "The product: 1 to 64 characters of `A-Z a-z 0-9 _ . -`"), ("If-Match" = Option<String>, Header, description = "Only if the product has this tag"), ("If-None-Match" = Option<String>, Header, description = "`*`: only if there is no product")),
    request_body = Wanted,
    responses((status = 200, description = "It was written, or was so before", body = Told, headers(("ETag" = String, description = "Its revision"))), (status = 201, description = "It was created", body = Told, headers(("ETag" = String, description = "Its revision")))),
)]
pub(super) async fn replace(
    state: Data,
    Args((id,)): Args<(ItemId,)>,
    Key(key): Key,
    preconditions: Preconditions,
    Json(wanted): Json<Wanted>,
) -> Result<HttpResponse> {
    let (content, price) = wanted.parts();
    let (content, expect) = (checked(content)?, expect(&preconditions)?);
    let written = change::replace(&state.shards, &id, &expect, keyed(key.as_ref()), &content, price).await?;
    Ok(answer(written))
}

/// Change a product
#[utoipa::path(
    patch,
    path = "/v1/products/{id}",
    operation_id = "change_product",
    tag = "products",
    params(("id" = String, Path, description = "The product: 1 to 64 characters of `A-Z a-z 0-9 _ . -`"), ("If-Match" = Option<String>, Header, description = "Only if the product has this tag")),
    request_body(content((Object = "application/merge-patch+json"), (Object = "application/json")), description = "What is to change (RFC 7396)"),
    responses((status = 200, description = "It was changed, or was so before", body = Told, headers(("ETag" = String, description = "Its revision")))),
)]
pub(super) async fn patch(
    state: Data,
    Args((id,)): Args<(ItemId,)>,
    Key(key): Key,
    preconditions: Preconditions,
    patch: Patch,
) -> Result<HttpResponse> {
    // What fits no product is refused whether there is one or not.
    checked(patch.apply(&Wanted::any())?.parts().0)?;
    let expect = expect(&preconditions)?;
    let edit = |before: Option<&Product>| {
        let before = before.ok_or_else(|| ProductError::Unknown(id.to_string()))?;
        let (content, price) = patch.apply(&Wanted::of(before))?.parts();
        Ok::<_, Problem>((checked(content)?, (price.get() != before.price).then_some(price)))
    };
    Ok(answer(change::change(&state.shards, &id, &expect, keyed(key.as_ref()), edit).await?))
}

/// Archive a product
///
/// It is neither listed nor found any more, and keeps its id and its handle. A patch of its `status` brings it back.
#[utoipa::path(
    delete,
    path = "/v1/products/{id}",
    operation_id = "archive_product",
    tag = "products",
    params(("id" = String, Path, description = "The product: 1 to 64 characters of `A-Z a-z 0-9 _ . -`"), ("If-Match" = Option<String>, Header, description = "Only if the product has this tag")),
    responses((status = 204, description = "It is archived")),
)]
pub(super) async fn archive(
    state: Data,
    Args((id,)): Args<(ItemId,)>,
    Key(key): Key,
    preconditions: Preconditions,
) -> Result<HttpResponse> {
    let expect = expect(&preconditions)?;
    let archived = change::archive(&state.shards, &id, &expect, keyed(key.as_ref())).await?;
    Ok(archived.answer(|_| HttpResponse::NoContent().finish()))
}

fn answer(written: Done<Changed>) -> HttpResponse {
    written.answer(|Changed { product, is_new }| {
        tagged(if is_new { HttpResponse::Created() } else { HttpResponse::Ok() }, product)
    })
}
