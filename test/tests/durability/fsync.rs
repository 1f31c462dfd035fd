//! What is left when the power fails, or a Redis server dies, by when it calls fsync.
//!
//! A power cut is played on the server's own files: it is killed, and what it had not synced is taken from them.

use std::time::Duration;

use shardcart_harness::systems::shop::ShopOverRedis;
use shardcart_harness::{Disk, Fsync, RedisServer, Service, Settings, eventually};
use shardcart_test::buyers::Buyers;
use shardcart_test::purchase::{BOUGHT, NOTHING, Purchase, There};

/// Longer than anything takes that is waited for, on a busy machine too.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a load runs on before the power fails.
const UNDISTURBED: Duration = Duration::from_millis(150);
/// How often something is tried that takes luck on a busy machine.
const TRIES_MAX: usize = 20;

/// A shop over three servers, each on a disk of its own.
async fn shop(fsync: Fsync, delay: Duration) -> ShopOverRedis {
    let server = || async { vec![RedisServer::start_on(Disk::new(delay), fsync).await] };
    let (order, stock, payment) = tokio::join!(server(), server(), server());
    ShopOverRedis::start_over([order, stock, payment], &Settings::none()).await
}

/// Starts the server of orders again, and returns when the shop reaches it.
async fn restart(shop: &mut ShopOverRedis) {
    shop.redis(Service::Order, 0).restart().await;
    let port = shop.shop().port();
    shop.shop().process().ready(port).await;
}

/// How much the server of orders has handed to the system.
fn written(shop: &mut ShopOverRedis) -> u64 {
    let entries = shop.redis(Service::Order, 0).log_dir().read_dir().expect("the directory of the log is there");
    entries.map(|entry| entry.and_then(|entry| entry.metadata()).expect("files of the log stay").len()).sum()
}

/// Has an fsync of the server of orders begin that does not end, when all that was written before is on the disk.
async fn hold_fsync(shop: &mut ShopOverRedis, purchase: &Purchase) {
    let order = shop.redis(Service::Order, 0);
    eventually("all is synced", PATIENCE, async || (order.disk().unsynced(&order.log_dir()) == 0).then_some(())).await;
    shop.redis(Service::Order, 0).disk().hold();
    // Something has to be written, so that there is something to sync.
    shop.front().create_order(&purchase.user).await.ok();
    shop.redis(Service::Order, 0).disk().holds_one().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn always_keeps_every_answer_through_power_cuts_under_load() {
    let mut shop = shop(Fsync::Always, Duration::from_millis(2)).await;
    let (front, data) = (shop.front(), shop.data());
    let buyers = Buyers::prepare(&front, 1).await;
    let faults = async {
        for service in Service::ALL {
            // Until something was written and not synced: its answers must have been held back.
            let mut lost = 0;
            for _ in 0..TRIES_MAX {
                tokio::time::sleep(UNDISTURBED).await;
                lost = shop.redis(service, 0).cut_power();
                shop.redis(service, 0).restart().await;
                if lost > 0 {
                    break;
                }
            }
            assert!(lost > 0, "the power never failed between a write and its sync at {service}");
        }
    };
    let told = buyers.shop_during(&front, faults).await;
    buyers.check(&front, &data, &told).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn always_answers_no_checkout_that_is_not_on_the_disk() {
    let mut shop = shop(Fsync::Always, Duration::ZERO).await;
    let purchase = Purchase::prepare(&shop.front()).await;
    shop.data().settled(PATIENCE).await;
    shop.redis(Service::Order, 0).disk().hold();

    let answer = shop.front().checkout_once(&purchase.order).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    assert!(shop.redis(Service::Order, 0).cut_power() > 0, "it was written, and not synced");
    shop.redis(Service::Order, 0).disk().release();
    restart(&mut shop).await;

    assert_eq!(purchase.there(&shop.front(), &shop.data()).await, NOTHING);
    shop.front().checkout_until_definite(&purchase.order, true).await.ok();
    assert_eq!(purchase.there(&shop.front(), &shop.data()).await, BOUGHT);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everysec_can_lose_an_answered_checkout_when_redis_dies_during_a_slow_fsync() {
    let mut shop = shop(Fsync::EverySec, Duration::ZERO).await;
    for _ in 0..TRIES_MAX {
        let purchase = Purchase::prepare(&shop.front()).await;
        hold_fsync(&mut shop, &purchase).await;
        let before = written(&mut shop);
        shop.front().checkout(&purchase.order).await.ok();
        assert_eq!(purchase.there(&shop.front(), &shop.data()).await, BOUGHT, "this is what the client was told");
        shop.redis(Service::Order, 0).kill9();
        let after = written(&mut shop);
        shop.redis(Service::Order, 0).disk().release();
        restart(&mut shop).await;
        // Redis holds a write back for two seconds. On so slow a machine they are over before it dies: try again.
        if before == after {
            assert_eq!(
                purchase.there(&shop.front(), &shop.data()).await,
                There { paid: false, ..BOUGHT },
                "answered, and gone"
            );
            return;
        }
        assert_eq!(purchase.there(&shop.front(), &shop.data()).await, BOUGHT, "what the system has got stays");
    }
    panic!("no checkout was done within two seconds");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn everysec_can_lose_an_answered_checkout_in_a_power_cut() {
    let mut shop = shop(Fsync::EverySec, Duration::ZERO).await;
    let purchase = Purchase::prepare(&shop.front()).await;
    hold_fsync(&mut shop, &purchase).await;
    let before = written(&mut shop);
    shop.front().checkout(&purchase.order).await.ok();
    assert_eq!(purchase.there(&shop.front(), &shop.data()).await, BOUGHT, "this is what the client was told");
    eventually("it is handed to the system", PATIENCE, async || (written(&mut shop) > before).then_some(())).await;

    assert!(shop.redis(Service::Order, 0).cut_power() > 0);
    shop.redis(Service::Order, 0).disk().release();
    restart(&mut shop).await;
    assert_eq!(
        purchase.there(&shop.front(), &shop.data()).await,
        There { paid: false, ..BOUGHT },
        "answered, and gone"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_fsync_keeps_an_answered_checkout_when_redis_dies_and_can_lose_it_in_a_power_cut() {
    let mut shop = shop(Fsync::No, Duration::ZERO).await;
    let first = Purchase::prepare(&shop.front()).await;
    shop.front().checkout(&first.order).await.ok();
    assert_eq!(first.there(&shop.front(), &shop.data()).await, BOUGHT);
    shop.redis(Service::Order, 0).kill9();
    restart(&mut shop).await;
    assert_eq!(
        first.there(&shop.front(), &shop.data()).await,
        BOUGHT,
        "what was answered had been handed to the system"
    );

    let second = Purchase::prepare(&shop.front()).await;
    let order = shop.redis(Service::Order, 0);
    order.disk().write_back(&order.log_dir());
    shop.front().checkout(&second.order).await.ok();
    assert_eq!(second.there(&shop.front(), &shop.data()).await, BOUGHT);
    assert!(shop.redis(Service::Order, 0).cut_power() > 0, "nobody asked for it to be synced");
    restart(&mut shop).await;
    assert_eq!(first.there(&shop.front(), &shop.data()).await, BOUGHT, "the system had come to it");
    assert_eq!(second.there(&shop.front(), &shop.data()).await, There { paid: false, ..BOUGHT }, "answered, and gone");
}
