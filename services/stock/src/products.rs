//! Products: items that are described to buyers, under names of their own. An item without a document is one of the
//! legacy API, and is no product.

pub mod change;
pub mod content;
pub mod error;
pub mod export;
pub mod handles;
pub mod import;
pub mod list;
pub mod lookup;
pub mod quotes;
mod records;
pub mod stock;
mod text;
mod walk;
pub mod write;

use shardcart_schema::product::Document;
use shardcart_types::ids::ItemId;

use crate::products::content::Content;
use crate::products::records::Stored;

/// A product as it is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Product {
    /// Its id, which is its item's.
    pub id: ItemId,
    /// How often it was written: its ETag.
    pub revision: u64,
    /// When it was created, Unix ms.
    pub created_ms: u64,
    /// When it was last written, Unix ms.
    pub updated_ms: u64,
    /// What one costs.
    pub price: u64,
    /// Units that can be bought now.
    pub available: u64,
    /// What describes it.
    pub content: Content,
}

impl Product {
    /// `None`: there is no product, or no item to it, or it says what no release writes.
    fn of(id: ItemId, stored: Stored) -> Option<Self> {
        let Stored { document: Some(Document { revision, created_ms, updated_ms, body }), item: Some(item) } = stored
        else {
            return None;
        };
        let content = Content::of(body)?;
        Some(Product { id, revision, created_ms, updated_ms, price: item.price, available: item.stock, content })
    }
}
