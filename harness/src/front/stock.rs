//! The endpoints of the stock service.

use super::{Answer, Front};
use crate::service::Service;

impl Front {
    /// `POST /stock/item/create/{price}`
    pub async fn create_item(&self, price: u64) -> Answer {
        self.post(Service::Stock, format!("/item/create/{price}")).await
    }

    /// `GET /stock/find/{item}`
    pub async fn find_item(&self, item: &str) -> Answer {
        self.get(Service::Stock, format!("/find/{item}")).await
    }

    /// `POST /stock/add/{item}/{amount}`
    pub async fn add_stock(&self, item: &str, amount: u64) -> Answer {
        self.post(Service::Stock, format!("/add/{item}/{amount}")).await
    }

    /// `POST /stock/subtract/{item}/{amount}`
    pub async fn subtract_stock(&self, item: &str, amount: u64) -> Answer {
        self.post(Service::Stock, format!("/subtract/{item}/{amount}")).await
    }

    /// `POST /stock/batch_init/{n}/{starting_stock}/{item_price}`
    pub async fn init_items(&self, n: u64, starting_stock: u64, item_price: u64) -> Answer {
        self.post(Service::Stock, format!("/batch_init/{n}/{starting_stock}/{item_price}")).await
    }
}
