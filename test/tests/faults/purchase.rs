//! One order, followed closely: what it takes, and what is there when it has been paid or not.

use shardcart_test::{Cluster, Front};

/// What is there of each item, what the user has, and what the order wants of each item at price 2.
const STOCK: u64 = 10;
const CREDIT: u64 = 100;
const UNITS: u64 = 3;

/// An order of two items on different stock shards.
pub struct Purchase {
    pub user: String,
    pub items: [String; 2],
    pub order: String,
}

impl Purchase {
    pub async fn prepare(front: &Front) -> Purchase {
        let items = front.items_on_all_shards(2, 1, STOCK, 2).await;
        let items: [String; 2] = items.try_into().expect("one item on each of two shards");
        let user = front.user_with(CREDIT).await;
        let order = front.order_of(&user, &[(&items[0], UNITS), (&items[1], UNITS)]).await;
        Purchase { user, items, order }
    }

    /// Checks that everything was taken once, or nothing at all, that nothing is held, and that the audit agrees.
    pub async fn is(&self, cluster: &Cluster, paid: bool) {
        let (front, data) = (cluster.front(), cluster.data());
        assert_eq!(front.is_paid(&self.order).await, paid, "order {}", self.order);
        assert_eq!(front.has_payment(&self.user, &self.order).await, paid, "payment");
        for item in &self.items {
            let units = data.units(item).await;
            assert_eq!((units.free, units.held), (if paid { STOCK - UNITS } else { STOCK }, 0), "units");
        }
        let credit = data.credit(&self.user).await;
        assert_eq!((credit.free, credit.held), (if paid { CREDIT - 4 * UNITS } else { CREDIT }, 0), "credit");
        let audit = shardcart_test::auditor::findings(&data).await;
        assert!(audit.is_empty(), "{audit:#?}");
    }
}
