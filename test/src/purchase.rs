//! One small order, and what is there of it before, after, or lost.

use std::time::Duration;

use shardcart_harness::data::Data;
use shardcart_harness::front::Front;

/// How long it may take until nothing is held any more, on a busy machine too.
const SETTLED: Duration = Duration::from_secs(30);

/// An order of 3 units at price 2 of an item with 10, by a user with credit 100.
#[derive(Debug)]
pub struct Purchase {
    /// The user.
    pub user: String,
    /// The item.
    pub item: String,
    /// The order.
    pub order: String,
}

/// What is there of a purchase.
#[derive(Debug, PartialEq, Eq)]
pub struct There {
    /// Whether the order is paid.
    pub paid: bool,
    /// The item's stock.
    pub units: u64,
    /// The user's credit.
    pub credit: u64,
}

/// The whole purchase.
pub const BOUGHT: There = There { paid: true, units: 7, credit: 94 };
/// Nothing of it.
pub const NOTHING: There = There { paid: false, units: 10, credit: 100 };

impl Purchase {
    /// Makes the user, the item and the order.
    pub async fn prepare(front: &Front) -> Purchase {
        let (user, item) = (front.user_with(100).await, front.item_with(10, 2).await);
        let order = front.order_of(&user, &[(&item, 3)]).await;
        Purchase { user, item, order }
    }

    /// What is there when nothing is held any more.
    pub async fn there(&self, front: &Front, data: &Data) -> There {
        data.settled(SETTLED).await;
        There {
            paid: front.is_paid(&self.order).await,
            units: front.stock_of(&self.item).await,
            credit: front.credit_of(&self.user).await,
        }
    }
}
