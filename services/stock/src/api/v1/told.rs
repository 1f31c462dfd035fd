//! Products as /v1 tells them and takes them.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use shardcart_http::v1::money::Money;
use shardcart_http::v1::timestamp::Timestamp;
use shardcart_schema::product::Status;
use shardcart_types::amount::Amount;
use utoipa::ToSchema;

use crate::products::Product;
use crate::products::content::Content;

/// A product
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Product)]
pub(super) struct Told {
    /// The product, which is also the item of the path-only API
    id: String,
    /// Its unique handle
    #[schema(required)]
    handle: Option<String>,
    /// What it is called
    name: String,
    /// More about it
    #[schema(required)]
    description: Option<String>,
    /// What one costs
    price: Money,
    /// Its tags, in lower case and sorted
    tags: Vec<String>,
    /// What its shop knows of it besides
    #[schema(value_type = Object)]
    attributes: Map<String, Value>,
    /// Whether it is listed
    status: ProductStatus,
    /// When it was created
    created_at: Timestamp,
    /// When it was last written
    updated_at: Timestamp,
    /// Its stock, where that is asked for
    #[serde(skip_serializing_if = "Option::is_none")]
    stock: Option<Stock>,
}

/// What can be bought of a product
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Stock {
    /// Units that can be bought now
    pub(super) available: u64,
}

/// A product as its shop writes it
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = NewProduct)]
#[serde(deny_unknown_fields)]
pub(super) struct Wanted {
    /// What it is called: 1 to 200 characters
    name: String,
    /// Its unique handle; one is made of the id or the name where it is left out
    #[serde(default, skip_serializing_if = "Option::is_none")]
    handle: Option<String>,
    /// More about it
    #[serde(default, skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// What one costs
    price: Money,
    /// Up to 16 tags
    #[serde(default)]
    tags: Vec<String>,
    /// What its shop knows of it besides: up to 4096 bytes of JSON
    #[serde(default)]
    #[schema(value_type = Object)]
    attributes: Map<String, Value>,
    /// Whether it is listed; `active` where it is left out
    #[serde(default = "active")]
    status: ProductStatus,
}

/// Whether a product is listed
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ProductStatus {
    /// It is listed and found
    Active,
    /// It is neither; it is known by its id and its handle
    Archived,
}

impl From<Status> for ProductStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Active => ProductStatus::Active,
            Status::Archived => ProductStatus::Archived,
        }
    }
}

impl From<ProductStatus> for Status {
    fn from(status: ProductStatus) -> Self {
        match status {
            ProductStatus::Active => Status::Active,
            ProductStatus::Archived => Status::Archived,
        }
    }
}

fn active() -> ProductStatus {
    ProductStatus::Active
}

/// An amount that was read from a record.
pub(super) fn money(amount: u64) -> Money {
    Money::new(Amount::try_from(amount).expect("a record is read only if it holds amounts"))
}

impl Told {
    /// A product, with its stock if that is asked for.
    pub(super) fn of(product: Product, with_stock: bool) -> Self {
        let Product { id, created_ms, updated_ms, price, available, content, .. } = product;
        let Content { status, name, handle, description, tags, attributes } = content;
        Told {
            id: id.to_string(),
            handle,
            name,
            description,
            price: money(price),
            tags,
            attributes,
            status: status.into(),
            created_at: Timestamp(created_ms),
            updated_at: Timestamp(updated_ms),
            stock: with_stock.then_some(Stock { available }),
        }
    }
}

impl Wanted {
    /// Some product: what does not fit it as a patch fits none.
    pub(super) fn any() -> Self {
        let (name, tags, attributes) = ("any".to_owned(), Vec::new(), Map::new());
        Wanted { name, handle: None, description: None, price: money(0), tags, attributes, status: active() }
    }

    /// A product as its shop would write it.
    pub(super) fn of(product: &Product) -> Self {
        let Content { status, name, handle, description, tags, attributes } = product.content.clone();
        Wanted { name, handle, description, price: money(product.price), tags, attributes, status: status.into() }
    }

    /// What it says, and what one costs.
    pub(super) fn parts(self) -> (Content, Amount) {
        let Wanted { name, handle, description, price, tags, attributes, status } = self;
        (Content { status: status.into(), name, handle, description, tags, attributes }, price.amount())
    }
}
