//! One order, followed closely: what it takes, and what is there when it has been paid or not.

use std::time::Duration;

use shardcart_harness::{Cluster, Front, eventually, ids};

/// What is there of each item, what the user has, and what the order wants of each item at price 2.
const STOCK: u64 = 10;
const CREDIT: u64 = 100;
const UNITS: u64 = 3;

/// How long that may take to be made.
const PREPARED: Duration = Duration::from_secs(60);

/// An order of two items on different stock shards.
pub struct Purchase {
    pub user: String,
    pub items: [String; 2],
    pub order: String,
}

impl Purchase {
    /// Makes them anew until every call has been answered: a busy computer is not what is tested.
    pub async fn prepare(front: &Front) -> Purchase {
        eventually("a purchase is prepared", PREPARED, async || {
            let mut items = [None, None];
            while items.iter().any(Option::is_none) {
                let item = front.create_item(2).await.body["item_id"].as_str()?.to_owned();
                items[ids::shard(&item)].get_or_insert(item);
            }
            let items = items.map(Option::unwrap_or_default);
            let user = front.create_user().await.body["user_id"].as_str()?.to_owned();
            let order = front.create_order(&user).await.body["order_id"].as_str()?.to_owned();
            let mut answers = vec![front.add_funds(&user, CREDIT).await];
            for item in &items {
                answers.push(front.add_stock(item, STOCK).await);
                answers.push(front.add_item(&order, item, UNITS).await);
            }
            answers.iter().all(|answer| answer.status == 200).then_some(Purchase { user, items, order })
        })
        .await
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
