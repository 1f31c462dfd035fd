//! The legacy calls through gateways that are not shipped: a plain nginx, which speaks HTTP/1.0 to what is behind it and
//! keeps no connection to it, and the gateway that a course hands out.

use hyper::Method;
use shardcart_harness::systems::foreign_gateway::ForeignGateway;
use shardcart_harness::{Cluster, ClusterOptions, Front, Service, Settings, Shop, ShopOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_legacy_calls_work_behind_a_plain_nginx() {
    let shop = Shop::start_with(ShopOptions { shards: 1, settings: Settings::none() }).await;
    let gateway = ForeignGateway::plain(&shop.front()).await;
    use_everything(&gateway.front()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_legacy_calls_work_behind_the_gateway_of_a_course() {
    let options = ClusterOptions { machines: 1, shards: 1, settings: Settings::none() };
    let cluster = Cluster::start_with(options).await;
    let gateway = ForeignGateway::of_a_course(&cluster.direct(0)).await;
    use_everything(&gateway.front()).await;
}

async fn use_everything(front: &Front) {
    buy(front).await;
    front.init_items(3, 10, 2).await.ok();
    front.init_users(3, 100).await.ok();
    front.init_orders(3, 3, 3, 2).await.ok();
    assert_eq!((front.stock_of("2").await, front.credit_of("2").await), (10, 100));
    front.checkout_once("2").await.ok();
    assert!(front.is_paid("2").await);
    tell_errors(front).await;
    say_less_or_more(front).await;
    keep_the_connection(front).await;
}

/// The path of something that was loaded.
fn find(service: Service) -> &'static str {
    if service == Service::Payment { "/find_user/1" } else { "/find/1" }
}

async fn buy(front: &Front) {
    let (user, item) = (front.user_with(100).await, front.item_with(10, 7).await);
    let order = front.create_order(&user).await.text("order_id");
    front.add_item(&order, &item, 3).await.ok();
    front.add_one(&order, &item).await.ok();
    front.remove_item(&order, &item).await.ok();
    front.add_item(&order, &item, 2).await.ok();
    front.subtract_stock(&item, 1).await.ok();
    front.checkout_once(&order).await.ok();
    assert!(front.is_paid(&order).await && front.has_payment(&user, &order).await);
    assert_eq!((front.stock_of(&item).await, front.credit_of(&user).await), (4, 65));
    let other = front.create_order(&user).await.text("order_id");
    front.pay(&user, &other, 6).await.ok();
    front.cancel(&user, &other).await.ok();
    assert_eq!(front.credit_of(&user).await, 65);
    front.remove_order(&other).await.ok();
}

async fn tell_errors(front: &Front) {
    front.find_item("nobody").await.is_problem(404, "unknown_item");
    front.find_user("nobody").await.is_problem(404, "unknown_user");
    front.find_order("nobody").await.is_problem(404, "unknown_order");
    let (user, item) = (front.user_with(1).await, front.item_with(1, 7).await);
    front.subtract_stock(&item, 2).await.is_problem(409, "insufficient_stock");
    front.pay_without_order(&user, 2).await.is_problem(402, "insufficient_credit");
    front.add_stock(&item, u64::MAX).await.is_problem(400, "invalid_amount");
    let order = front.order_of(&user, &[(&item, 1)]).await;
    front.checkout_once(&order).await.is_problem(402, "insufficient_credit");
    for service in Service::ALL {
        front.call(Method::GET, service, "/no/such/thing").await.is_problem(404, "no_route");
        front.call(Method::DELETE, service, find(service)).await.is_problem(405, "method_not_allowed");
    }
}

/// HEAD, POST without a length, with an empty one, and with a body that says nothing; a key that repeats.
async fn say_less_or_more(front: &Front) {
    for (service, create) in
        [(Service::Stock, "/item/create/5"), (Service::Payment, "/create_user"), (Service::Order, "/create/1")]
    {
        let head = front.raw("HEAD", service, find(service), &[], b"").await;
        assert_eq!((head.status, head.http.text.as_str()), (200, ""), "{head:?}");
        assert_eq!(head.http.media_type(), Some("application/json"));
        for (fields, body) in [
            (&[][..], &b""[..]),
            (&["Content-Length: 0"], b""),
            (&["Content-Length: 2", "Content-Type: application/json"], b"{}"),
            (&["Transfer-Encoding: chunked"], b"2\r\n{}\r\n0\r\n\r\n"),
        ] {
            front.raw("POST", service, create, fields, body).await.ok();
        }
        let keyed = front.with_key("one");
        let [first, again] =
            [keyed.call(Method::POST, service, create).await, keyed.call(Method::POST, service, create).await];
        assert_eq!(first.ok(), again.ok(), "{service}: once for a key");
    }
}

async fn keep_the_connection(front: &Front) {
    let (server, prefix) = front.address(Service::Payment);
    let mut stream = TcpStream::connect(server).await.expect("the gateway accepts connections");
    for turn in 0..3 {
        let request = format!("POST {prefix}/create_user HTTP/1.1\r\nHost: shop\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("it is open");
        let (mut said, mut part) = (String::new(), [0; 4096]);
        while !said.ends_with("\"}") {
            let length = stream.read(&mut part).await.expect("an answer");
            assert!(length > 0, "request {turn}: closed after {said:?}");
            said.push_str(&String::from_utf8_lossy(&part[..length]));
        }
        assert!(
            said.starts_with("HTTP/1.1 200 ") && !said.to_ascii_lowercase().contains("connection: close"),
            "{said}"
        );
    }
}
