//! Lists of products, and many products at once for a cart.

use actix_web::http::header::LINK;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::{Deserialize, Serialize};
use shardcart_http::problem::Problem;
use shardcart_http::v1::cursor::List;
use shardcart_http::v1::money::Money;
use shardcart_http::v1::page::Page;
use shardcart_http::v1::query::{Limit, Query};
use shardcart_schema::limit::QUOTES_MAX;
use shardcart_types::code::Code;
use shardcart_types::ids::ItemId;
use utoipa::ToSchema;

use super::problems::INVALID_VALUE;
use super::products::Include;
use super::told::{ProductStatus, Told, money};
use crate::api::State;
use crate::products::content;
use crate::products::list::{self, Order, Position};
use crate::products::quotes;

type Result<T> = std::result::Result<T, Problem>;

/// What is listed.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(super) struct Find {
    /// Beginnings of words of the name and the tags, all of which a product has
    q: Option<String>,
    /// A tag that they have
    tag: Option<String>,
    /// The order: `name`, or `new` for the newest first
    sort: Option<Sort>,
    /// How many products a page has at most
    #[serde(default)]
    #[param(value_type = u16, minimum = 1, maximum = 100, default = 20)]
    limit: Limit,
    /// Where the page begins: `next` of the one before it
    cursor: Option<String>,
    /// Whether shards may be missing
    #[serde(default)]
    partial: bool,
    /// What is included
    include: Option<Include>,
    /// Ids with commas between them: instead of a list
    ids: Option<String>,
}

/// The order of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Sort {
    /// By name
    Name,
    /// The newest first
    New,
}

/// A page that may lack the products of shards
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PartialPage {
    /// What is on this page
    data: Vec<Told>,
    /// The cursor of the next page; null on the last
    #[schema(required)]
    next: Option<String>,
    /// The numbers of the shards that did not answer
    missing_shards: Vec<u16>,
}

/// What a cart needs of a product
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CartProduct {
    /// The product
    id: String,
    /// What it is called; null of an item that is no product
    #[schema(required)]
    name: Option<String>,
    /// Whether it is listed; null of an item that is no product
    #[schema(required)]
    status: Option<ProductStatus>,
    /// What one costs now
    price: Money,
    /// Units that can be bought now
    available: u64,
}

/// A page of products; with `partial`, what may be missing; with `ids`, what a cart needs
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub(super) enum ProductList {
    /// A page of a list
    Page(Page<Told>),
    /// A page that may lack the products of shards
    Partial(PartialPage),
    /// What a cart needs
    Cart(Page<CartProduct>),
}

impl ProductList {
    fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let next = match self {
            ProductList::Page(page) => &page.next,
            ProductList::Partial(page) => &page.next,
            ProductList::Cart(page) => &page.next,
        };
        let mut response = HttpResponse::Ok();
        let linked = Page::<()> { data: Vec::new(), next: next.clone() }.answer(request);
        if let Some(link) = linked.headers().get(LINK) {
            response.insert_header((LINK, link.clone()));
        }
        response.json(self)
    }
}

fn wrong(name: &str, detail: &str) -> Problem {
    Problem::new(Code::InvalidQuery, detail).at_parameter(name, INVALID_VALUE, detail)
}

/// List products
///
/// By name, the newest first, those with a tag, or those that are searched for; archived ones are not listed. With `ids`
/// those products instead, as far as they are there: up to 1000, for carts.
#[utoipa::path(
    get,
    path = "/v1/products",
    operation_id = "list_products",
    tag = "products",
    params(Find),
    responses((status = 200, description = "A page", body = ProductList)),
)]
pub(super) async fn list(
    state: web::Data<State>,
    request: HttpRequest,
    Query(find): Query<Find>,
) -> Result<HttpResponse> {
    if let Some(ids) = &find.ids {
        let is_alone = find.q.is_none() && find.tag.is_none() && find.sort.is_none() && find.cursor.is_none();
        if !is_alone || find.partial || find.include.is_some() || find.limit != Limit::default() {
            return Err(wrong("ids", "ids come alone"));
        }
        return cart(&state, ids, &request).await;
    }
    let query = query(&find)?;
    let order = if query.order == Order::New { "new" } else { "name" };
    let text = format!("q={} tag={} sort={order}", query.words.join(" "), query.tag.as_deref().unwrap_or_default());
    let cursors = List { kind: "products", query: &text };
    let position = find.cursor.as_deref().map(|cursor| position(cursors, &query, cursor)).transpose()?;
    let page = list::page(&state.shards, &query, position.as_ref(), find.limit.get(), find.partial).await?;
    let next = page.next.map(|next| cursor(cursors, &next)).transpose()?;
    let data: Vec<Told> = page.products.into_iter().map(|product| Told::of(product, find.include.is_some())).collect();
    let list = if find.partial {
        ProductList::Partial(PartialPage { data, next, missing_shards: page.missing })
    } else {
        ProductList::Page(Page { data, next })
    };
    Ok(list.answer(&request))
}

fn query(find: &Find) -> Result<list::Query> {
    let words = find.q.as_deref().map(list::Query::words_of).unwrap_or_default();
    if find.q.is_some() && words.is_empty() {
        return Err(wrong("q", "a search has a word of letters or digits"));
    }
    if find.q.is_some() && find.sort.is_some() {
        return Err(wrong("sort", "what is searched for has an order of its own"));
    }
    let tag = match &find.tag {
        None => None,
        Some(text) => Some(content::tag(text).ok_or_else(|| wrong("tag", "no product has such a tag"))?),
    };
    let order = if find.sort == Some(Sort::New) { Order::New } else { Order::Name };
    Ok(list::Query { words, tag, order })
}

/// A position as a cursor has it: the word that is walked, and the entry, which is text.
fn cursor(list: List<'_>, position: &Position) -> Result<String> {
    let after = str::from_utf8(&position.after).map_err(|error| {
        log::error!(error:%; "an entry of a list of products is no text");
        Problem::shard_unavailable()
    })?;
    Ok(list.cursor(&(&position.walked, after)))
}

fn position(list: List<'_>, query: &list::Query, cursor: &str) -> Result<Position> {
    let (walked, after): (Option<String>, String) = list.position(cursor)?;
    // Of a search one of its words is walked, and of no other list.
    let is_ours = walked.as_ref().map_or(query.words.is_empty(), |walked| query.words.contains(walked));
    if !is_ours {
        let detail = "the cursor is none of this list with this query; begin without one";
        return Err(Problem::new(Code::InvalidCursor, detail).at_parameter("cursor", "invalid_cursor", detail));
    }
    Ok(Position { walked, after: after.into_bytes() })
}

async fn cart(state: &State, ids: &str, request: &HttpRequest) -> Result<HttpResponse> {
    let ids: std::result::Result<Vec<ItemId>, _> = ids.split(',').map(ItemId::parse).collect();
    let ids = ids.map_err(|error| wrong("ids", &error.to_string()))?;
    if ids.len() > QUOTES_MAX {
        return Err(wrong("ids", &format!("at most {QUOTES_MAX} ids at once")));
    }
    let mut data = Vec::with_capacity(ids.len());
    for (id, quote) in ids.iter().zip(quotes::quotes(&state.shards, &ids).await) {
        let Some(quote) = quote? else { continue };
        let (name, status) = quote.product.unzip();
        let status = status.map(Into::into);
        let (price, available) = (money(quote.price), quote.available);
        data.push(CartProduct { id: id.to_string(), name, status, price, available });
    }
    Ok(ProductList::Cart(Page { data, next: None }).answer(request))
}
