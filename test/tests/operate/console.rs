//! The console over HTTP: what it shows, to whom, and what it does.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use futures_util::future::join_all;
use hyper::Method;
use serde_json::{Value, json};
use shardcart_harness::http::raw;
use shardcart_harness::redis::record;
use shardcart_harness::systems::kube::{Kube, render};
use shardcart_harness::systems::shop::ShopOverRedis;
use shardcart_harness::{Cluster, ClusterOptions, Service, Settings, Shop, ShopOptions, eventually};
use shardcart_test::console::{BY_HAND, Console, Looked};
use shardcart_test::scrape::Scrape;

/// More than anything here takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const TOKEN: &str = "a token; of 26, characters";

/// Settings for a busy machine: only a shard that is gone does not answer.
fn patient() -> Settings {
    Settings::none().with("REDIS_TIMEOUT_MS", 10_000).with("PARTICIPANT_TIMEOUT_MS", 10_000)
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is set");
    u64::try_from(since.as_millis()).expect("it is a while until then")
}

async fn patient_shop() -> Shop {
    Shop::start_with(ShopOptions { shards: 1, settings: patient() }).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_is_all_in_the_binary_and_keeps_scripts_of_others_out() {
    let shop = patient_shop().await;
    let console = Console::on(shop.port());
    let page = console.get("/console").await;
    assert_eq!((page.status, page.media_type()), (200, Some("text/html")));
    let policy = page.header("content-security-policy").expect("a policy");
    for part in ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"] {
        assert!(policy.contains(part), "{part}: {policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    for inline in ["<style", " style=", "<script>", " onclick=", " onload="] {
        assert!(!page.text.contains(inline), "{inline}");
    }
    let parts = page.text.split('"').filter(|text| text.starts_with("/console/"));
    let parts: Vec<&str> = parts.collect();
    assert!(parts.len() >= 4, "{parts:?}");
    for part in parts {
        let answer = console.get(part).await;
        assert_eq!(answer.status, 200, "{part}");
        assert!(answer.header("content-security-policy").is_some(), "{part}");
        let elsewhere = answer.text.replace("http://www.w3.org/2000/svg", "");
        assert!(!elsewhere.contains("http://") && !elsewhere.contains("https://"), "{part} asks nobody else");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_console_stands_in_the_way_of_no_other_path() {
    let shop = patient_shop().await;
    let console = Console::on(shop.port());
    for (method, path, status) in [
        (Method::GET, "/console/nothing", 404),
        (Method::GET, "/consoles", 404),
        (Method::POST, "/console", 405),
        (Method::GET, "/console/settle/7", 405),
        (Method::GET, "/orders/console", 404),
        (Method::GET, "/console/inspect/a%20b", 400),
        (Method::GET, "/console/inspect/%3Cscript%3E", 400),
    ] {
        let answer = console.call(method.clone(), path, &[], "").await;
        assert_eq!(answer.status, status, "{method} {path}: {answer:?}");
        assert_eq!(answer.media_type(), Some("application/problem+json"), "{method} {path}");
    }
    let front = shop.front();
    let order = front.create_order("console").await.text("order_id");
    assert_eq!(front.order(&order).await.user, "console");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkout_made_elsewhere_is_told_as_it_happens() {
    let shop = patient_shop().await;
    let mut events = Console::on(shop.port()).events().await.expect("there is room");
    let machine = events.until("hello", |data| data["machine"].as_str().map(str::to_owned)).await;
    assert!(machine.contains(&shop.port().to_string()), "{machine}");
    let shards = events.until("system", |data| data["shards"].as_array().cloned()).await;
    assert_eq!(shards.len(), 3);
    assert!(shards.iter().all(|shard| shard["up"] == true), "{shards:?}");

    let front = shop.front();
    let (user, item) = (front.user_with(100).await, front.item_with(10, 5).await);
    let order = front.order_of(&user, &[(&item, 3)]).await;
    front.checkout(&order).await.ok();
    // The beat that tells of the attempt counts it, too: both come from the same second or the next.
    let (mut paid, mut told, mut hot) = (0, None, None);
    events
        .until("beat", |data| {
            paid += data["beat"]["paid"].as_u64()?;
            let recent = data["recent"].as_array()?;
            told = told.take().or_else(|| recent.iter().find(|told| told["order"] == order.as_str()).cloned());
            let items = data["hot"].as_array()?;
            hot = hot.take().or_else(|| items.iter().find(|hot| hot["item"] == item.as_str()).cloned());
            (paid > 0 && told.is_some() && hot.is_some()).then_some(())
        })
        .await;
    let told: Value = told.expect("it was told");
    assert_eq!((paid, &told["outcome"], &told["total"], &told["lines"]), (1, &json!("paid"), &json!(15), &json!(1)));

    // Whoever comes later is told what was.
    let mut later = Console::on(shop.port()).events().await.expect("there is room");
    let recent = later.until("hello", |data| data["recent"].as_array().cloned()).await;
    assert_eq!(recent[0]["order"], order.as_str());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_checkout_is_told_within_two_seconds() {
    let shop = patient_shop().await;
    let mut events = Console::on(shop.port()).events().await.expect("there is room");
    let front = shop.front();
    let (user, item) = (front.user_with(100).await, front.item_with(20, 5).await);
    let mut late = Vec::new();
    for _ in 0..20 {
        let order = front.order_of(&user, &[(&item, 1)]).await;
        // Just after a beat: the next is as far away as it can be.
        events.until("beat", |_| Some(())).await;
        front.checkout(&order).await.ok();
        let after_ms = events
            .until("beat", |data| {
                let told = data["recent"].as_array()?.iter().find(|told| told["order"] == order.as_str())?;
                Some(data["beat"]["at_ms"].as_u64()?.saturating_sub(told["ended_ms"].as_u64()?))
            })
            .await;
        if after_ms <= 2_000 {
            return;
        }
        // The machine under test may have stood still.
        late.push(after_ms);
    }
    panic!("told late, each time: {late:?} ms");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_opens_a_console_is_told_how_it_is_now() {
    let shop = patient_shop().await;
    let console = Console::on(shop.port());
    let mut ages = Vec::new();
    for _ in 0..20 {
        let opened_ms = now_ms();
        let mut events = console.events().await.expect("there is room");
        let seen_ms = events.until("system", |data| data["now_ms"].as_u64()).await;
        if !ages.is_empty() && seen_ms >= opened_ms {
            return;
        }
        ages.push(opened_ms.saturating_sub(seen_ms));
        drop(events);
        // Until the machine notices that nobody watches any more.
        tokio::time::sleep(Duration::from_secs(3)).await;
    }
    panic!("whoever came was told how it was so long ago: {ages:?} ms");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn however_many_ask_for_the_status_shards_are_looked_at_once_at_a_time() {
    const MANY: usize = 30;
    let mut shop = ShopOverRedis::start(1, &patient().with("METRICS_INTERVAL_MS", 3_600_000)).await;
    let port = shop.shop().port();
    let mut shard = shop.data().shard(Service::Stock, 0).await;
    let mut looks = async || {
        let stats: String =
            redis::cmd("INFO").arg("commandstats").query_async(&mut shard).await.expect("Redis answers");
        let calls = stats.lines().find_map(|line| line.strip_prefix("cmdstat_info:calls="));
        calls.and_then(|calls| calls.split(',').next()?.parse::<u64>().ok()).unwrap_or(0)
    };
    assert_eq!(Console::on(port).get("/console/status").await.status, 200);
    let before = looks().await;
    shop.redis(Service::Stock, 0).pause();
    let asked =
        tokio::spawn(join_all((0..MANY).map(|_| async move { Console::on(port).get("/console/status").await.json() })));
    eventually("all have asked", PATIENCE, async || {
        let waiting = Scrape::of(port).await.value("shardcart_requests_in_flight{service=\"shop\"}");
        (waiting? >= MANY as f64).then_some(())
    })
    .await;
    shop.redis(Service::Stock, 0).resume();
    for status in asked.await.expect("nobody panics") {
        assert_eq!(status["shards"].as_array().map(Vec::len), Some(3), "{status}");
    }
    let looked = looks().await - before;
    // Two looks, what reads this, and perhaps what metrics are read from.
    assert!(looked <= 5, "{looked} looks for {MANY} questions");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_consoles_do_not_hold_up_the_end_of_a_shop() {
    let mut shop = patient_shop().await;
    let console = Console::on(shop.port());
    let mut streams = join_all((0..8).map(|_| console.events())).await;
    for stream in &mut streams {
        stream.as_mut().expect("there is room").until("hello", |_| Some(())).await;
    }
    shop.stop().await;
    for stream in streams {
        let mut stream = stream.expect("there is room");
        while stream.next().await.is_some() {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_that_drains_says_goodbye_to_its_consoles() {
    let settings = patient().with("DRAIN_MS", 60_000);
    let mut shop = Shop::start_with(ShopOptions { shards: 1, settings }).await;
    let mut events = Console::on(shop.port()).events().await.expect("there is room");
    events.until("hello", |_| Some(())).await;
    shop.process().terminate();
    events.until("bye", |_| Some(())).await;
    assert!(events.next().await.is_none(), "nothing comes after goodbye");
    shop.process().kill9();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_many_may_watch_and_no_more() {
    let shop = patient_shop().await;
    let console = Console::on(shop.port());
    let all = join_all((0..64).map(|_| console.events())).await;
    assert!(all.iter().all(Result::is_ok), "64 may watch");
    assert_eq!(console.events().await.err(), Some(429));
    drop(all);
    eventually("there is room again", PATIENCE, async || console.events().await.ok()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_token_nobody_sees_it_through_a_gateway_or_under_a_name_of_somebody_elses() {
    let shop = patient_shop().await;
    let console = Console::on(shop.port());
    for path in ["/console/status", "/console/inspect/7", "/console", "/console/events"] {
        for field in [
            ("host", "evil.example"),
            ("host", "localhost.evil.example:8000"),
            ("x-forwarded-for", "10.1.2.3"),
            ("x-forwarded-host", "shop.example"),
            ("forwarded", "for=10.1.2.3"),
        ] {
            let answer = console.call(Method::GET, path, &[field], "").await;
            assert_eq!(answer.status, 403, "{path} {field:?}");
        }
    }
    for path in ["/console/status", "/console/inspect/7", "/console/events"] {
        let answer = console.call(Method::GET, path, &[("sec-fetch-site", "cross-site")], "").await;
        assert_eq!(answer.status, 403, "{path} for a page of another site");
    }
    for own in ["localhost", "localhost:8000", "127.0.0.1:1", "[::1]:8000"] {
        assert_eq!(console.call(Method::GET, "/console/status", &[("host", own)], "").await.status, 200, "{own}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_done_for_a_page_of_another_origin() {
    let shop = patient_shop().await;
    let console = Console::on(shop.port());
    let front = shop.front();
    let order = front.order_of("7", &[]).await;
    let path = format!("/console/settle/{order}");
    let origin = format!("http://127.0.0.1:{}", shop.port());
    let foreign = ("origin", "http://evil.example");
    for fields in [
        &[][..],
        &[foreign],
        &[BY_HAND, foreign],
        &[BY_HAND, ("origin", "null")],
        &[BY_HAND, ("origin", "http://127.0.0.1:1")],
        &[BY_HAND, ("sec-fetch-site", "cross-site")],
        &[BY_HAND, ("sec-fetch-site", "same-site")],
        &[("content-type", "application/x-www-form-urlencoded"), ("origin", &origin)],
    ] {
        let answer = console.call(Method::POST, &path, fields, "").await;
        assert_eq!((answer.status, &answer.json()["code"]), (403, &json!("forbidden")), "{fields:?}");
    }
    for fields in [&[BY_HAND][..], &[BY_HAND, ("origin", &origin), ("sec-fetch-site", "same-origin")]] {
        let answer = console.call(Method::POST, &path, fields, "").await;
        assert_eq!((answer.status, &answer.json()["outcome"]), (200, &json!("nothing")), "{fields:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_token_only_who_knows_it_sees_anything() {
    let token = "0123456789abcdef;\"=,%";
    let settings = patient().with("CONSOLE_TOKEN", token);
    let shop = Shop::start_with(ShopOptions { shards: 1, settings }).await;
    let console = Console::on(shop.port());
    let page = console.get("/console").await;
    assert!(page.status == 200 && page.text.contains("type=\"password\""), "a form asks for the token");
    for path in ["/console/status", "/console/inspect/7", "/console/events"] {
        assert_eq!(console.get(path).await.status, 401, "{path}");
        let almost = format!("Bearer {}", &token[..token.len() - 1]);
        assert_eq!(console.call(Method::GET, path, &[("authorization", &almost)], "").await.status, 401, "{path}");
        let in_url = format!("{path}?token={token}").replace('"', "%22");
        assert_eq!(console.get(&in_url).await.status, 401, "a URL is logged: it opens nothing");
    }
    let settle = console.call(Method::POST, "/console/settle/7", &[BY_HAND], "").await;
    assert_eq!(settle.status, 401);

    let form = ("content-type", "application/x-www-form-urlencoded");
    let wrong = console.call(Method::POST, "/console/login", &[form], "token=0123456789abcdef").await;
    assert_eq!((wrong.status, wrong.header("set-cookie")), (401, None));
    let typed = "token=0123456789abcdef%3B%22%3D%2C%25";
    let right = console.call(Method::POST, "/console/login", &[form], typed).await;
    assert_eq!((right.status, right.header("location")), (303, Some("/console")));
    let cookie = right.header("set-cookie").expect("a cookie");
    for part in ["HttpOnly", "SameSite=Strict", "Path=/console"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    let cookie = cookie.split(';').next().expect("a value");
    assert_eq!(console.call(Method::GET, "/console/status", &[("cookie", cookie)], "").await.status, 200);
    // Through a gateway, too: that is what the token is for.
    let gateway = [("cookie", cookie), ("host", "shop.example"), ("x-forwarded-for", "10.1.2.3")];
    assert_eq!(console.call(Method::GET, "/console/status", &gateway, "").await.status, 200);
    let bearer = format!("Bearer {token}");
    assert_eq!(console.call(Method::GET, "/console/status", &[("authorization", &bearer)], "").await.status, 200);
    let foreign = console.call(Method::POST, "/console/login", &[form, ("sec-fetch-site", "cross-site")], typed).await;
    assert_eq!((foreign.status, foreign.header("set-cookie")), (403, None), "nobody is logged in by another site");

    // However many guess, who knows it is let in.
    let mut statuses = Vec::new();
    for _ in 0..30 {
        let guess = [("authorization", "Bearer 0123456789abcdef")];
        statuses.push(console.call(Method::GET, "/console/status", &guess, "").await.status);
    }
    assert!(statuses.iter().all(|status| [401, 429].contains(status)), "{statuses:?}");
    assert_eq!(console.call(Method::POST, "/console/login", &[form], typed).await.status, 303);
    assert_eq!(console.call(Method::GET, "/console/status", &[("cookie", cookie)], "").await.status, 200);

    let acted = [("cookie", cookie), BY_HAND];
    assert_eq!(console.call(Method::POST, "/console/settle/7", &acted, "").await.status, 200);
    assert_eq!(console.call(Method::POST, "/console/settle/7", &acted[..1], "").await.status, 403, "not by hand");
    let left = console.call(Method::POST, "/console/logout", &acted, "").await;
    assert!(left.header("set-cookie").is_some_and(|cookie| cookie.contains("Max-Age=0")), "{left:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn through_the_shipped_gateway_the_console_works_with_its_token_and_without_one_there_is_none() {
    let token = "0123456789abcdef";
    let size = [("SHARDS", "1"), ("GATEWAY_PODS_MIN", "1"), ("FSYNC", "no"), ("REDIS_TIMEOUT_MS", "1900")];
    let (kube, manifests) = (Kube::default(), render("gke-scale/deploy.sh", &size));
    kube.apply(manifests).await;
    let (front, gateway) = (kube.front(), kube.front().address(Service::Order).0.to_string());
    let console = Console::at(&gateway);
    for path in ["/console", "/console/status", "/console/events"] {
        let answer = console.get(path).await;
        assert_eq!((answer.status, answer.json()["code"].as_str()), (404, Some("no_route")), "{path}");
    }

    kube.put_secret("console-token", token);
    kube.kill9("order-1");
    kube.rolled_out("order-1").await;
    let page = eventually("the gateway finds the new machine", PATIENCE, async || {
        let page = console.get("/console").await;
        (page.status == 200).then_some(page)
    })
    .await;
    assert!(page.text.contains("type=\"password\""), "a form asks for the token: {}", page.text);
    assert_eq!(console.get("/console/status").await.status, 401);
    let form = ("content-type", "application/x-www-form-urlencoded");
    let right = console.call(Method::POST, "/console/login", &[form], &format!("token={token}")).await;
    assert_eq!((right.status, right.header("location")), (303, Some("/console")), "{right:?}");
    let cookie = right.header("set-cookie").expect("a cookie").split(';').next().expect("a value").to_owned();
    let cookie = ("cookie", cookie.as_str());
    assert_eq!(console.call(Method::GET, "/console/status", &[cookie], "").await.json()["alarms"], json!([]));

    // What happens is passed on as it happens.
    let mut events = console.events_with(&[cookie]).await.expect("a stream");
    events.until("hello", |told| told["machine"].as_str()?.contains("order machine 1/1").then_some(())).await;
    let (user, item) = (front.user_with(100).await, front.item_with(10, 5).await);
    let order = front.order_of(&user, &[(&item, 3)]).await;
    front.checkout(&order).await.ok();
    let is_told = |told: &Value| told["recent"].as_array()?.iter().any(|one| one["order"] == order).then_some(());
    events.until("beat", is_told).await;

    // What the page itself asks for is done, what another site's asks for is not.
    let path = format!("/console/settle/{order}");
    for (origin, status) in [(format!("http://{gateway}"), 200), ("http://shop.example".to_owned(), 403)] {
        let answer = console.call(Method::POST, &path, &[cookie, BY_HAND, ("origin", &origin)], "").await;
        assert_eq!(answer.status, status, "{origin}: {answer:?}");
    }
    let knows = Settings::none().with("CONSOLE_TOKEN", token).with("SHOP_URL", console.url());
    Looked::run(&knows, &["status"]).await.says(0, &["all is well", "order 0", "a second paid"]);
    Looked::run(&knows, &["inspect", &order]).await.says(0, &["Its checkout has charged 15."]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_machine_still_shows_its_console_which_tells_what_is_turned_away() {
    const FULL: usize = 2;
    let settings = patient().with("REQUESTS_MAX", FULL).with("CLIENT_TIMEOUT_MS", 600_000);
    let shop = Shop::start_with(ShopOptions { shards: 1, settings }).await;
    let (console, front) = (Console::on(shop.port()), shop.front());
    let _open = raw::requests_without_end(shop.port(), FULL).await;
    eventually("it is full", PATIENCE, async || (front.create_user().await.status == 429).then_some(())).await;
    assert_eq!(console.get("/console").await.status, 200);
    // It shows itself; what is done for one id is work like any other.
    assert_eq!(console.get("/console/inspect/7").await.status, 429);
    assert_eq!(console.call(Method::POST, "/console/settle/7", &[BY_HAND], "").await.status, 429);
    let mut events = console.events().await.expect("a stream");
    let knocks = async {
        loop {
            assert_eq!(front.create_user().await.status, 429);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    let told = async {
        events.until("beat", |told| (told["beat"]["turned_away"].as_u64()? > 0).then_some(())).await;
        let words = |told: &Value| told["alarms"].to_string().contains("turned away").then_some(());
        events.until("system", words).await;
        Looked::run(&Settings::none().with("SHOP_URL", console.url()), &["status"]).await
    };
    tokio::select! {
        said = told => said.says(0, &["requests were turned away", "1 thing to look at"]),
        () = knocks => unreachable!("the knocking does not end"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_easy_to_guess_is_refused_at_the_start() {
    for weak in ["weak", "fifteen-letters"] {
        let refusal = Shop::refused(&Settings::usual().with("CONSOLE_TOKEN", weak)).await;
        assert!(refusal.stderr.contains("CONSOLE_TOKEN") && !refusal.stderr.contains(weak), "{}", refusal.stderr);
    }
    // An empty one is none.
    let shop = Shop::start_with(ShopOptions { shards: 1, settings: patient().with("CONSOLE_TOKEN", "") }).await;
    assert_eq!(Console::on(shop.port()).get("/console/status").await.status, 200);
    // With spaces it is no header.
    assert_eq!(Shop::refused(&Settings::usual().with("CONSOLE_TOKEN", TOKEN)).await.code, 1);
}

/// A shop in which nobody recovers anything by himself, and an order whose coordinator died while its units were held.
async fn abandoned() -> (ShopOverRedis, Console, String, String) {
    let settings = patient()
        .with("RECOVERY_INTERVAL_MS", 3_600_000)
        .with("CHECKOUT_LEASE_MS", 100_000)
        .with("CHECKOUT_DEADLINE_MS", 110_000)
        .with("CHECKOUT_WAIT_MS", 120_000);
    let mut shop = ShopOverRedis::start(1, &settings).await;
    let front = shop.front();
    let (user, item) = (front.user_with(100).await, front.item_with(10, 5).await);
    let order = front.order_of(&user, &[(&item, 3)]).await;
    shop.redis(Service::Payment, 0).pause();
    let checkout = tokio::spawn({
        let (front, order) = (front.clone(), order.clone());
        async move { front.try_checkout(&order).await }
    });
    let data = shop.data();
    eventually("units are held", PATIENCE, async || (data.units(&item).await.held == 3).then_some(())).await;
    shop.shop().process().kill9();
    checkout.abort();
    shop.redis(Service::Payment, 0).resume();
    shop.shop().start_again().await;
    let console = Console::on(shop.shop().port());
    (shop, console, order, item)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settle_now_leaves_a_lease_alone_and_then_recovers() {
    let (shop, console, order, item) = abandoned().await;
    let data = shop.data();
    let held = console.settle(&order).await;
    assert_eq!(held["outcome"], "held", "{held}");
    let left = held["lease_left_ms"].as_u64().expect("how long");
    assert!((1..=100_000).contains(&left), "{left}");
    assert!(held["words"].as_str().is_some_and(|words| words.contains("coordinator")), "{held}");
    assert_eq!((data.order_status(&order).await.as_str(), data.units(&item).await.held), ("pending", 3));

    let mut events = console.events().await.expect("there is room");
    let oldest = events.until("system", |data| data["oldest"].get(0).cloned()).await;
    assert_eq!((&oldest["order"], &oldest["status"]), (&json!(order), &json!("pending")));

    // As if the lease had passed.
    let mut shard = data.shard(Service::Order, 0).await;
    let key = data.keys(Service::Order, 0, &format!("*:order:{order}")).await.pop_first().expect("the order is there");
    record::set(&mut shard, &key, &[("lease", "1")]).await;
    let settled = console.settle(&order).await;
    assert_eq!((&settled["outcome"], &settled["paid"]), (&json!("settled"), &json!(false)), "{settled}");
    assert_eq!(data.order_status(&order).await, "open");
    let units = data.units(&item).await;
    assert_eq!((units.free, units.held), (10, 0));
    assert_eq!(console.settle(&order).await["outcome"], "nothing");
    assert_eq!(console.settle("no-such-order").await["outcome"], "unknown");
    shop.front().checkout(&order).await.ok();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settle_now_says_when_a_shard_that_has_to_know_is_silent() {
    let (mut shop, console, order, item) = abandoned().await;
    let data = shop.data();
    let mut shard = data.shard(Service::Order, 0).await;
    let key = data.keys(Service::Order, 0, &format!("*:order:{order}")).await.pop_first().expect("the order is there");
    record::set(&mut shard, &key, &[("lease", "1")]).await;
    shop.redis(Service::Stock, 0).kill9();
    let waiting = console.settle(&order).await;
    assert_eq!((&waiting["outcome"], &waiting["paid"]), (&json!("waiting"), &json!(false)), "{waiting}");
    assert_eq!(data.order_status(&order).await, "aborting");
    shop.redis(Service::Stock, 0).restart().await;
    eventually("it is settled when the shard is back", PATIENCE, async || {
        (console.settle(&order).await["outcome"] != "waiting").then_some(())
    })
    .await;
    assert_eq!((data.order_status(&order).await.as_str(), data.units(&item).await.held), ("open", 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settle_now_settles_what_is_paid() {
    let settings = patient().with("SETTLE_LINGER_MS", 3_600_000).with("RECOVERY_INTERVAL_MS", 3_600_000);
    let shop = Shop::start_with(ShopOptions { shards: 2, settings }).await;
    let (front, console) = (shop.front(), Console::on(shop.port()));
    let (user, item) = (front.user_with(100).await, front.item_with(10, 5).await);
    let order = front.order_of(&user, &[(&item, 3)]).await;
    front.checkout(&order).await.ok();
    assert_eq!(shop.data().units(&item).await.held, 3);
    let settled = console.settle(&order).await;
    assert_eq!((&settled["outcome"], &settled["paid"]), (&json!("settled"), &json!(true)), "{settled}");
    shop.data().settled(PATIENCE).await;
    assert_eq!(front.credit_of(&user).await, 85);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_shard_is_told_and_told_to_be_back() {
    let mut shop = ShopOverRedis::start(2, &patient()).await;
    let console = Console::on(shop.shop().port());
    let mut events = console.events().await.expect("there is room");
    let state = |data: &Value| {
        data["shards"].as_array()?.iter().find(|one| one["service"] == "stock" && one["shard"] == 1).cloned()
    };
    events.until("system", |data| (state(data)?["up"] == true).then_some(())).await;
    shop.redis(Service::Stock, 1).kill9();
    let alarms = events.until("system", |data| (state(data)?["up"] == false).then(|| data["alarms"].clone())).await;
    assert!(alarms[0]["words"].as_str().is_some_and(|words| words.contains("stock shard 1")), "{alarms}");
    assert_eq!(alarms[0]["kind"], "silent stock 1", "{alarms}");
    shop.redis(Service::Stock, 1).restart().await;
    events.until("system", |data| (state(data)?["up"] == true && data["alarms"] == json!([])).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_machine_shows_the_whole_system_on_its_private_port_alone() {
    let cluster = Cluster::start_with(ClusterOptions { machines: 1, shards: 2, settings: patient() }).await;
    let machine = cluster.machine(Service::Order, 0);
    let public = Console::on(machine.port).get("/console").await;
    assert_eq!((public.status, &public.json()["code"]), (404, &json!("no_route")));
    for service in [Service::Stock, Service::Payment] {
        assert_eq!(Console::on(cluster.machine(service, 0).internal_port).get("/console").await.status, 404);
    }
    let console = Console::on(machine.internal_port);
    let status = console.get("/console/status").await.json();
    assert_eq!(status["shards"].as_array().map(Vec::len), Some(6), "{status}");
    assert!(status["shards"].as_array().is_some_and(|all| all.iter().all(|shard| shard["up"] == true)), "{status}");

    let front = cluster.front();
    let (user, item) = (front.user_with(100).await, front.item_with(10, 5).await);
    let order = front.order_of(&user, &[(&item, 3)]).await;
    front.checkout(&order).await.ok();
    cluster.data().settled(PATIENCE).await;
    for (id, kind, state) in [(&order, "order", "paid"), (&item, "item", "on sale"), (&user, "user", "has credit")] {
        let found = console.get(&format!("/console/inspect/{id}")).await.json();
        let thing = &found["things"][0];
        assert_eq!((&thing["kind"], &thing["state"]), (&json!(kind), &json!(state)), "{found}");
    }
    let told = console.settle(&order).await;
    assert_eq!(told["outcome"], "nothing", "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_has_a_console_to_show_only_with_a_token() {
    let settings = patient().with("CONSOLE_TOKEN", "0123456789abcdef");
    let cluster = Cluster::start_with(ClusterOptions { machines: 1, shards: 1, settings }).await;
    let machine = cluster.machine(Service::Order, 0);
    for port in [machine.port, machine.internal_port] {
        let console = Console::on(port);
        assert_eq!(console.get("/console/status").await.status, 401);
        let bearer = [("authorization", "Bearer 0123456789abcdef"), ("host", "shop.example")];
        assert_eq!(console.call(Method::GET, "/console/status", &bearer, "").await.status, 200);
    }
}
