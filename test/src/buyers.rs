//! Buyers who shop while parts of the system die, and check afterwards that all they were told is
//! true.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use shardcart_harness::data::Data;
use shardcart_harness::front::Front;
use shardcart_harness::wait::PAUSE;

/// How many buyers there are, and how many orders each makes at least, one after the other.
const BUYERS: usize = 40;
const ORDERS_EACH: usize = 8;
/// What each order costs, and how many of them each buyer can pay.
const PRICE: u64 = 3;
const AFFORDABLE: usize = 30;
const STOCK: u64 = 10_000;

/// How long making one order may take in spite of faults.
const PATIENCE: Duration = Duration::from_secs(60);
/// How soon everything must be settled after the last fault.
const SETTLED: Duration = Duration::from_secs(20);

/// Buyers, and the three items that they all want one of.
#[derive(Debug)]
pub struct Buyers {
    users: Vec<String>,
    items: Vec<String>,
}

/// What one buyer was told of each order: whether its checkout succeeded.
pub type Told = Vec<(String, bool)>;

impl Buyers {
    /// Makes the buyers, and items on all of the stock shards.
    pub async fn prepare(front: &Front, stock_shards: usize) -> Buyers {
        let each = 3_usize.div_ceil(stock_shards);
        let mut items = front.items_on_all_shards(stock_shards, each, STOCK, 1).await;
        // The first and the last, so that they lie on more than one shard.
        items.swap(1, each * stock_shards - 1);
        items.truncate(3);
        let credit = PRICE * units(AFFORDABLE);
        let users = front.each(0..BUYERS, |_| front.user_with(credit)).await;
        Buyers { users, items }
    }

    /// Lets all of them shop at once until `faults` are over, and returns what they were told.
    ///
    /// # Panics
    /// When a checkout is refused for anything but a lack of credit, or does not get definite.
    pub async fn shop_during(&self, front: &Front, faults: impl Future<Output = ()>) -> Vec<Told> {
        let over = AtomicBool::new(false);
        let shopping = join_all(self.users.iter().map(|user| self.shop_alone(front, user, &over)));
        let faults = async {
            faults.await;
            over.store(true, Ordering::Relaxed);
        };
        tokio::join!(shopping, faults).0
    }

    async fn shop_alone(&self, front: &Front, user: &str, over: &AtomicBool) -> Told {
        let mut told = Vec::new();
        while told.len() < ORDERS_EACH || !over.load(Ordering::Relaxed) {
            let order = self.order(front, user).await;
            let answer = front.checkout_until_definite(&order, true).await;
            assert!(matches!(answer.status, 200 | 402), "{answer:?}");
            told.push((order, answer.status == 200));
        }
        told
    }

    /// Makes an order while machines and shards die. Creating one is not idempotent: one that is
    /// not answered is begun anew, and what is left of it is never checked out.
    async fn order(&self, front: &Front, user: &str) -> String {
        let start = Instant::now();
        'anew: while start.elapsed() < PATIENCE {
            tokio::time::sleep(PAUSE).await;
            let created = front.create_order(user).await;
            if created.status != 200 {
                continue;
            }
            let order = created.text("order_id");
            for item in &self.items {
                if front.add_one(&order, item).await.status != 200 {
                    continue 'anew;
                }
            }
            return order;
        }
        panic!("no order could be made within {PATIENCE:?}");
    }

    /// Checks, when everything is settled, that what they were told is what is there.
    pub async fn check(&self, front: &Front, data: &Data, told: &[Told]) {
        data.settled(SETTLED).await;
        let mut sold = 0;
        for (user, orders) in self.users.iter().zip(told) {
            for (order, succeeded) in orders {
                assert_eq!(front.is_paid(order).await, *succeeded, "the answer for {order}");
                assert_eq!(front.has_payment(user, order).await, *succeeded, "payment of {order}");
            }
            let paid = orders.iter().filter(|(_, succeeded)| *succeeded).count();
            assert_eq!(paid, orders.len().min(AFFORDABLE), "as many as could be paid: {orders:?}");
            assert_eq!(front.credit_of(user).await, PRICE * units(AFFORDABLE - paid));
            sold += units(paid);
        }
        for item in &self.items {
            assert_eq!(front.stock_of(item).await, STOCK - sold);
        }
    }
}

fn units(count: usize) -> u64 {
    u64::try_from(count).expect("a count fits into 64 bits")
}
