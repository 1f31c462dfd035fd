//! The console and the reference of /v1 in a real browser, as `test/browser/console.mjs` and `test/browser/docs.mjs` go
//! through them. It needs Chromium and Node:
//! `make browser` installs them and runs this.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::time::Duration;

use nix::sys::signal::Signal;
use shardcart_harness::http::NoAnswer;
use shardcart_harness::processes::child::Child;
use shardcart_harness::systems::shop::ShopOverRedis;
use shardcart_harness::{Answer, Service, Settings, Shop, ShopOptions, eventually};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// How long the browser may take for anything that it asks nothing for meanwhile.
const PATIENCE: Duration = Duration::from_secs(600);
const TOKEN: &str = "0123456789abcdef";
/// The shard that a checkout waits for while it is abandoned.
const ABANDONED: (Service, usize) = (Service::Payment, 0);

/// The browser's side, ended when dropped.
struct Browser {
    _child: Child,
    stdin: ChildStdin,
    lines: mpsc::UnboundedReceiver<String>,
}

impl Browser {
    /// Starts one of the programs in `test/browser`, for a shop on a port.
    fn start(program: &str, shop: u16, more: &[(&str, String)]) -> Browser {
        let here = Path::new(env!("CARGO_MANIFEST_DIR"));
        let modules = here.join("../target/browser");
        let chromium = ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(in_path);
        let (true, Some(chromium)) = (modules.join("node_modules").is_dir(), chromium) else {
            panic!("Chromium or what its test needs is missing: `make browser` installs it, and runs this");
        };
        let mut command = Command::new("node");
        command
            .arg(here.join("browser").join(program))
            .env("MODULES", &modules)
            .env("CHROMIUM", chromium)
            .env("SHOP", format!("http://127.0.0.1:{shop}"))
            .envs(more.iter().map(|(name, value)| (name, value)))
            .env("SCREENSHOT", modules.join("failed.png"));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = Child::start(command, Signal::SIGKILL);
        let (stdin, stdout) =
            (child.take_stdin().expect("it was asked for"), child.take_stdout().expect("it was asked for"));
        let (send, lines) = mpsc::unbounded_channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        Browser { _child: child, stdin, lines }
    }

    /// What it wants next; `None` when it has ended.
    async fn wants(&mut self) -> Option<String> {
        tokio::time::timeout(PATIENCE, self.lines.recv()).await.expect("the browser goes on")
    }

    fn tell(&mut self, answer: &str) {
        writeln!(self.stdin, "{answer}").expect("it listens");
    }
}

fn in_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|path| path.is_file())
}

/// An order whose checkout waits for a silent shard.
async fn abandon(shop: &mut ShopOverRedis) -> (String, JoinHandle<Result<Answer, NoAnswer>>) {
    let front = shop.front();
    let item = front.item_with(10, 5).await;
    // Users are minted on both shards in turn.
    let user = eventually("a user on the shard", PATIENCE, async || {
        let user = front.user_with(100).await;
        (shardcart_harness::ids::shard(&user) == ABANDONED.1).then_some(user)
    })
    .await;
    let order = front.order_of(&user, &[(&item, 3)]).await;
    shop.redis(ABANDONED.0, ABANDONED.1).pause();
    let checkout = tokio::spawn({
        let (front, order) = (front.clone(), order.clone());
        async move { front.try_checkout(&order).await }
    });
    shop.data().order_becomes(&order, &["pending"], PATIENCE).await;
    (order, checkout)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Chromium and Node: `make browser`"]
async fn the_console_holds_in_a_browser() {
    // A lease that lasts until the test says so: it ends with the silent shard, in 409 or in 200.
    let settings = Settings::none()
        .with("CHECKOUT_LEASE_MS", 60_000)
        .with("CHECKOUT_DEADLINE_MS", 70_000)
        .with("CHECKOUT_WAIT_MS", 80_000)
        // For a busy machine: only a shard that is gone does not answer.
        .with("REDIS_TIMEOUT_MS", 10_000);
    let mut shop = ShopOverRedis::start(2, &settings).await;
    let locked = Settings::none().with("CONSOLE_TOKEN", TOKEN);
    let locked = Shop::start_with(ShopOptions { shards: 1, settings: locked }).await;
    let more = [("LOCKED", format!("http://127.0.0.1:{}", locked.port())), ("TOKEN", TOKEN.to_owned())];
    let mut browser = Browser::start("console.mjs", shop.shop().port(), &more);
    let mut checkout = None;
    let mut held = false;
    while let Some(wanted) = browser.wants().await {
        let answer = match wanted.as_str() {
            "checkout" => {
                let front = shop.front();
                let (user, item) = (front.user_with(100).await, front.item_with(10, 5).await);
                let order = front.order_of(&user, &[(&item, 3)]).await;
                front.checkout(&order).await.ok();
                order
            }
            "kill stock 1" => {
                shop.redis(Service::Stock, 1).kill9();
                "done".to_owned()
            }
            "restart stock 1" => {
                shop.redis(Service::Stock, 1).restart().await;
                "done".to_owned()
            }
            "abandon" => {
                let (order, task) = abandon(&mut shop).await;
                checkout = Some(task);
                order
            }
            "go on" => {
                shop.redis(ABANDONED.0, ABANDONED.1).resume();
                if let Some(checkout) = checkout.take() {
                    checkout.await.expect("it does not panic").expect("there is an answer");
                }
                "done".to_owned()
            }
            "stop the shop" => {
                shop.shop().stop().await;
                "done".to_owned()
            }
            "freeze the shop" => {
                shop.shop().process().pause();
                "done".to_owned()
            }
            "thaw the shop" => {
                shop.shop().process().resume();
                "done".to_owned()
            }
            "start the shop" => {
                shop.shop().start_again().await;
                "done".to_owned()
            }
            "all held" => {
                held = true;
                break;
            }
            other => {
                let curl = other.strip_prefix("run curl ").unwrap_or_else(|| panic!("it wants {other:?}"));
                let answer = shardcart_harness::http::HttpClient::default().request(hyper::Method::GET, curl).await;
                answer.unwrap_or_else(|no| panic!("{}", no.0)).text
            }
        };
        browser.tell(&answer);
    }
    assert!(held, "what went wrong is above, and in target/browser/failed.png");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs Chromium and Node: `make browser`"]
async fn the_reference_holds_in_a_browser() {
    let shop = Shop::start().await;
    let mut browser = Browser::start("docs.mjs", shop.port(), &[]);
    let last = browser.wants().await;
    assert_eq!(last.as_deref(), Some("all held"), "what went wrong is above, and in target/browser/failed.png");
}
