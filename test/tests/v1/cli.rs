//! `shop products` and `shop openapi`: the real program against a real shop.

use std::fs;
use std::path::Path;

use serde_json::json;
use shardcart_harness::{Settings, Shop, ShopOptions};
use shardcart_test::console::Looked;

/// A shop, and what its commands need to find it.
async fn shop() -> (Shop, Settings) {
    let shop = Shop::start_with(ShopOptions { shards: 2, settings: Settings::none() }).await;
    let settings = Settings::none().with("SHOP_URL", format!("http://127.0.0.1:{}", shop.port()));
    (shop, settings)
}

fn catalogue() -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/products.csv").display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_product_is_created_shown_changed_and_archived() {
    let (shop, settings) = shop().await;
    let create =
        ["products", "create", "--id", "tux", "--name", "Tux", "--price", "1599", "--stock", "3", "--tag", "toy"];
    Looked::run(&settings, &create).await.says(0, &["1599 EUR", "active"]);
    let again = Looked::run(&settings, &create).await;
    assert!(again.code == 1 && again.stderr.contains("exists"), "{again:?}");
    let update = ["products", "update", "tux", "--price", "1700", "--stock-by", "-1", "--json"];
    let told = Looked::run(&settings, &update).await.json();
    assert_eq!((&told["price"]["amount"], &told["stock"]["available"]), (&json!(1700), &json!(2)), "{told}");
    Looked::run(&settings, &["products", "show", "tux", "--handle"]).await.says(0, &["Tux", "1700 EUR"]);
    let item = shop.front().find_item("tux").await.http.json();
    assert_eq!(item["stock"], 2, "the path-only API sells what the command made: {item}");
    Looked::run(&settings, &["products", "archive", "tux"]).await.says(0, &[]);
    Looked::run(&settings, &["products", "show", "tux"]).await.says(0, &["archived"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_catalogue_is_imported_listed_by_pages_and_exported() {
    let (_shop, settings) = shop().await;
    let file = catalogue();
    let import = ["products", "import", file.as_str()];
    Looked::run(&settings, &[&import[..], &["--dry-run"]].concat()).await.says(0, &["30 created", "a dry run"]);
    Looked::run(&settings, &import).await.says(0, &["30 rows: 30 created"]);
    Looked::run(&settings, &import).await.says(0, &["30 unchanged"]);
    let few = Looked::run(&settings, &["products", "list", "--limit", "5", "--json"]).await;
    assert_eq!(few.stdout.lines().count(), 5, "{few:?}");
    let all = Looked::run(&settings, &["products", "list", "--all", "--json"]).await;
    assert_eq!(all.stdout.lines().count(), 30, "{all:?}");
    Looked::run(&settings, &["products", "list", "-q", "plu pen"]).await.says(0, &["plush-penguin"]);
    let directory = tempfile::tempdir().expect("a directory can be made");
    let path = directory.path().join("all.csv");
    let output = path.display().to_string();
    Looked::run(&settings, &["products", "export", "--output", &output]).await.says(0, &[]);
    assert_eq!(fs::read_to_string(&path).expect("it was written").lines().count(), 31);
    Looked::run(&settings, &["products", "import", &output]).await.says(0, &["30 rows", "30 unchanged"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_row_is_told_with_its_line_and_ends_an_import_with_1() {
    let (_shop, settings) = shop().await;
    let directory = tempfile::tempdir().expect("a directory can be made");
    let path = directory.path().join("some.csv");
    fs::write(&path, "id,name,price\na,A,5\nb,B,x\n").expect("it can be written");
    let said = Looked::run(&settings, &["products", "import", &path.display().to_string()]).await;
    said.says(1, &["1 created", "1 refused"]);
    assert!(said.stderr.contains("line 3: invalid_body") && said.stderr.contains("/price"), "{said:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_wrong_or_silent_ends_with_1_2_and_3_and_no_key_is_shown() {
    let (_shop, settings) = shop().await;
    let refused = Looked::run(&settings, &["products", "show", "nobody"]).await;
    assert!(refused.code == 1 && refused.stderr.contains("unknown_product"), "{refused:?}");
    let wrong = Looked::run(&settings, &["products", "create", "--name", "", "--price", "5"]).await;
    assert!(wrong.code == 1 && wrong.stderr.contains("/name: "), "{wrong:?}");
    let key = Settings::none().with("SHOP_KEY", "sk_hush hush").with("SHOP_URL", "http://127.0.0.1:1");
    let odd = Looked::run(&key, &["products", "list"]).await;
    assert!(odd.code == 2 && !odd.stderr.contains("hush"), "{odd:?}");
    let key = Settings::none().with("SHOP_KEY", "sk_hush").with("SHOP_URL", "http://127.0.0.1:1");
    let silent = Looked::run(&key, &["products", "list"]).await;
    assert!(silent.code == 3 && silent.stderr.contains("does not answer"), "{silent:?}");
    assert!(!silent.stderr.contains("hush"), "{silent:?}");
    let help = Looked::run(&key, &["products", "list", "--help"]).await;
    assert!(help.code == 0 && help.stdout.contains("SHOP_KEY") && !help.stdout.contains("hush"), "{help:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn openapi_is_printed_as_the_shop_serves_it() {
    let (_shop, settings) = shop().await;
    let told = Looked::run(&settings, &["openapi"]).await.json();
    assert!(told["paths"]["/v1/products"]["get"].is_object(), "{told}");
}

#[tokio::test]
async fn completions_and_manual_pages_know_all_commands_and_the_version_has_no_path() {
    let none = Settings::none();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        Looked::run(&none, &["completions", shell]).await.says(0, &["products", "archive", "dry-run"]);
    }
    let directory = tempfile::tempdir().expect("a directory can be made");
    Looked::run(&none, &["man", "--dir", &directory.path().display().to_string()]).await.says(0, &[]);
    let page = fs::read_to_string(directory.path().join("shop-products-import.1")).expect("there is a page of each");
    assert!(page.contains("dry\\-run"), "{page}");
    Looked::run(&none, &["man"]).await.says(0, &[".TH shop 1"]);
    let version = Looked::run(&none, &["--version"]).await;
    assert!(version.code == 0 && version.stdout.starts_with("shop 0.") && !version.stdout.contains('/'), "{version:?}");
}
