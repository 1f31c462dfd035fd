//! A thousand clients that check out at once: what they were told, and what is left, agree to the unit.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};

use shardcart_harness::front::{Answer, Front};
use shardcart_harness::processes::settings::lease_is_short;

use crate::given::Given;

/// Clients, orders and users.
pub const ORDERS: u64 = 1000;
/// Units of the one item that all of them want.
pub const UNITS: u64 = 100;

/// Of 1000 users with one credit each, exactly 100 get one of the 100 units.
///
/// # Panics
/// When they do not, or when anything does not add up afterwards.
pub async fn exactly_100_are_sold(shop: &Front) {
    let users: Vec<u64> = (0..ORDERS).collect();
    let orders = load(shop, &users).await;
    let refused = check_out_at_once(shop, &orders).await;
    assert_eq!(orders.len() - refused.len(), 100, "checkouts that succeeded");
    is_consistent(shop, &users, &orders, &refused).await;
}

/// Of 1000 orders of users drawn at random, with one credit each, as many are paid after one repeat as can be.
///
/// # Panics
/// When they are not, or when anything does not add up afterwards.
pub async fn users_drawn_at_random_get_what_they_can_pay(shop: &Front) {
    let random = RandomState::new();
    let users: Vec<u64> = (0..ORDERS).map(|draw| random.hash_one(draw) % ORDERS).collect();
    let distinct = users.iter().collect::<BTreeSet<_>>().len();
    let reachable = distinct.min(100);

    let orders = load(shop, &users).await;
    let refused = check_out_at_once(shop, &orders).await;
    assert!(orders.len() - refused.len() <= reachable, "more succeeded than can be paid");
    is_consistent(shop, &users, &orders, &refused).await;

    // With a lease that is always too short, units are held by attempts that are given up, and
    // others are refused for it: then it takes more than one repeat until all are sold.
    let mut refused = refused;
    for _ in 0..if lease_is_short() { 10 } else { 1 } {
        refused = check_out_at_once(shop, &refused).await;
        if orders.len() - refused.len() == reachable {
            break;
        }
    }
    assert_eq!(orders.len() - refused.len(), reachable, "checkouts that succeeded in the end");
    is_consistent(shop, &users, &orders, &refused).await;
}

/// Loads one item with 100 units at price 1 and 1000 users with 1 credit, and makes an order of
/// one unit for each of `users`.
async fn load(shop: &Front, users: &[u64]) -> Vec<String> {
    shop.init_items(1, UNITS, 1).await.ok();
    shop.init_users(ORDERS, 1).await.ok();
    shop.each(users, |user| async move { shop.order_of(&user.to_string(), &[("0", 1)]).await }).await
}

/// Checks out all of these at once and returns those that were refused; anything but 200 and 4xx
/// fails the test. In a system of containers, which share a busy computer, an answer that leaves the outcome open is
/// followed by another checkout, as clients are told.
pub async fn check_out_at_once(shop: &Front, orders: &[String]) -> Vec<String> {
    let answers =
        shop.at_once(orders.to_vec(), |shop, order| async move { (check_out(&shop, &order).await, order) }).await;
    let mut refused = Vec::new();
    for (answer, order) in answers {
        match answer.status {
            200 => {}
            402 | 409 => refused.push(order),
            _ => panic!("{answer:?}"),
        }
    }
    refused
}

async fn check_out(shop: &Front, order: &str) -> Answer {
    if Given::system().is_some() { shop.checkout_until_definite(order, true).await } else { shop.checkout(order).await }
}

/// Checks that stock, credit, orders and answers tell the same.
async fn is_consistent(shop: &Front, users: &[u64], orders: &[String], refused: &[String]) {
    // The first question after the last answer: nothing may still be on its way.
    let stock = shop.stock_of("0").await;
    let sold = u64::try_from(orders.len() - refused.len()).expect("a count fits");
    assert_eq!(stock, UNITS - sold, "units left after {sold} successes");

    let refused: BTreeSet<&String> = refused.iter().collect();
    let paying: BTreeSet<u64> =
        users.iter().zip(orders).filter(|(_, order)| !refused.contains(order)).map(|(user, _)| *user).collect();
    assert_eq!(u64::try_from(paying.len()).ok(), Some(sold), "nobody pays twice with one credit");
    let credits = shop.each(0..ORDERS, |user| async move { shop.credit_of(&user.to_string()).await }).await;
    for (user, credit) in (0..ORDERS).zip(credits) {
        assert_eq!(credit, u64::from(!paying.contains(&user)), "credit of user {user}");
    }
    let paid = shop.each(orders, |order| shop.is_paid(order)).await;
    for (order, paid) in orders.iter().zip(paid) {
        assert_eq!(paid, !refused.contains(order), "order {order}");
    }
}
