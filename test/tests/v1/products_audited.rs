//! `shop audit` knows products: clean as they are written, and each thing that is lost or stray is named.

use std::collections::BTreeSet;

use redis::cmd;
use serde_json::json;
use shardcart_harness::{Data, Service, ids};
use shardcart_test::auditor::Audit;

use crate::products::{named, shop};

async fn tell(data: &Data, shard: usize, words: &[&str]) {
    let mut command = cmd(words[0]);
    command.arg(&words[1..]);
    command.exec_async(&mut data.shard(Service::Stock, shard).await).await.expect("a running Redis takes it");
}

/// Where a test keeps what it takes away. The audit knows no such key.
const KEPT: &str = "{kept}";

async fn found(data: &Data) -> BTreeSet<(String, String)> {
    Audit::of(data).await.disagreements().into_iter().filter(|(_, id)| id != KEPT).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn products_are_clean_and_what_is_lost_or_stray_is_named() {
    let (system, client) = shop().await;
    let data = system.data();
    let mut ids = Vec::new();
    for number in 0..6 {
        let mut product = named(&format!("Product {number}"));
        product["tags"] = json!(["all"]);
        let made = client.post("/products", &product).await;
        ids.push(made.body["id"].as_str().expect("an id").to_owned());
    }
    client.send(hyper::Method::DELETE, &format!("/products/{}", ids[5]), &[], "").await;
    Audit::of(&data).await.clean();

    let key = |id: &str, kind: &str| ids::key(Service::Stock, id, kind, id);
    let index = |id: &str, name: &str| {
        let item = key(id, "item");
        format!("{}:{name}", item.split(':').next().expect("a tag"))
    };
    let shard = |id: &str| ids::shard(id);
    let wanted = |kind: &str, id: &str| BTreeSet::from([(kind.to_owned(), id.to_owned())]);

    // An entry of a list that is gone, and one that nobody has.
    let id = ids[0].as_str();
    for (list, entry) in [
        ("products", format!("product 0\0{id}")),
        ("tag:all", format!("product 0\0{id}")),
        ("words", format!("product\0{id}")),
    ] {
        tell(&data, shard(id), &["ZREM", &index(id, list), &entry]).await;
        assert_eq!(found(&data).await, wanted("product_listing", id), "{list}");
        tell(&data, shard(id), &["ZADD", &index(id, list), "0", &entry]).await;
        let stray = format!("another name\0{id}");
        tell(&data, shard(id), &["ZADD", &index(id, list), "0", &stray]).await;
        assert_eq!(found(&data).await, wanted("product_listing", id), "{list}");
        tell(&data, shard(id), &["ZREM", &index(id, list), &stray]).await;
    }
    tell(&data, shard(id), &["ZADD", &index(id, "products"), "0", "nothing\0none"]).await;
    assert_eq!(found(&data).await, wanted("product_listing", "none"));
    tell(&data, shard(id), &["ZREM", &index(id, "products"), "nothing\0none"]).await;

    // An archived product that is listed.
    let archived = ids[5].as_str();
    let entry = format!("product 5\0{archived}");
    tell(&data, shard(archived), &["ZADD", &index(archived, "products"), "0", &entry]).await;
    assert_eq!(found(&data).await, wanted("product_listing", archived));
    tell(&data, shard(archived), &["ZREM", &index(archived, "products"), &entry]).await;

    // A product without its item.
    let id = ids[1].as_str();
    tell(&data, shard(id), &["RENAME", &key(id, "item"), KEPT]).await;
    assert_eq!(found(&data).await, wanted("product_without_item", id));
    tell(&data, shard(id), &["RENAME", KEPT, &key(id, "item")]).await;

    // A handle that is another's, and one that is nobody's.
    let mut hint = None;
    for shard in 0..2 {
        let keys: Vec<String> = cmd("KEYS")
            .arg("*:unique:handle:product-2")
            .query_async(&mut data.shard(Service::Stock, shard).await)
            .await
            .expect("a running Redis lists its keys");
        hint = hint.or(keys.into_iter().next().map(|key| (shard, key)));
    }
    let (at, hint) = hint.expect("there is a hint");
    let mut connection = data.shard(Service::Stock, at).await;
    let was: String = cmd("GET").arg(&hint).query_async(&mut connection).await.expect("it is a text");
    for other in [was.replace(&ids[2], "another"), was.replace(&ids[2], &ids[3])] {
        tell(&data, at, &["SET", &hint, &other]).await;
        assert_eq!(found(&data).await, wanted("product_handle", &ids[2]), "{other}");
    }
    tell(&data, at, &["DEL", &hint]).await;
    assert_eq!(found(&data).await, wanted("product_handle", &ids[2]));
    tell(&data, at, &["SET", &hint, &was]).await;

    // A document of a later release, and one that is cut.
    let (id, newer) = (ids[4].as_str(), key(&ids[4], "product"));
    tell(&data, shard(id), &["COPY", &newer, KEPT]).await;
    tell(&data, shard(id), &["SETRANGE", &newer, "0", "\u{2}"]).await;
    assert_eq!(found(&data).await, wanted("not_understood", id));
    tell(&data, shard(id), &["SET", &newer, "\u{1}short"]).await;
    assert!(found(&data).await.contains(&("unreadable".to_owned(), id.to_owned())));
    tell(&data, shard(id), &["RENAME", KEPT, &newer]).await;
    Audit::of(&data).await.clean();
}
