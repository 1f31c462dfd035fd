//! The system in containers, as compose.yaml starts it: a thousand clients, and containers that are killed. These tests
//! are for a running system, which `make test-containers` starts.

use std::process::Command;
use std::time::Duration;

use hyper::Method;
use shardcart_harness::http::HttpClient;
use shardcart_harness::{Front, Service, eventually};
use shardcart_test::buyers::Buyers;
use shardcart_test::given::Given;
use shardcart_test::{Stage, thousand};

/// How often the thousand clients come.
const RUNS: usize = 5;
/// How long the load runs on before a container is killed, and between its death and its restart.
const UNDISTURBED: Duration = Duration::from_secs(1);
/// How soon a container must be in use again, and everything settled, on a busy machine.
const BACK: Duration = Duration::from_secs(180);

fn given() -> Given {
    Given::system().expect("`make test-containers` says where the system is")
}

/// The id of a service's container.
fn container(service: &str) -> String {
    let project = "label=com.docker.compose.project=shardcart-test";
    let service = format!("label=com.docker.compose.service={service}");
    run(&["ps", "--all", "--quiet", "--filter", project, "--filter", &service])
}

/// What one of the commands of Docker prints about a service's container.
fn docker(words: &[&str], service: &str) -> String {
    run(&[words, &[container(service).as_str()]].concat())
}

fn run(words: &[&str]) -> String {
    let output = Command::new("docker").args(words).output().expect("docker is there");
    assert!(output.status.success(), "docker {words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

async fn is_ready(front: &Front) -> bool {
    let url = format!("http://{}/health/ready", front.address(Service::Order).0);
    HttpClient::without_keep_alive().request(Method::GET, &url).await.is_ok_and(|answer| answer.status == 200)
}

/// Asks a container what its own health check asks, without waiting for its turn.
fn is_healthy(service: &str) -> bool {
    let program = service.split('-').next().unwrap_or_default();
    let probe = if service.contains("redis") { ["redis-cli", "-e", "ping"].as_slice() } else { &[program, "health"] };
    let mut docker = Command::new("docker");
    docker.arg("exec").arg(container(service)).args(probe);
    docker.output().expect("docker is there").status.success()
}

/// Kills a container with SIGKILL, and starts it again a little later.
async fn kill_and_start_again(front: &Front, service: &str) {
    tokio::time::sleep(UNDISTURBED).await;
    docker(&["kill"], service);
    tokio::time::sleep(UNDISTURBED).await;
    docker(&["start"], service);
    eventually(format!("{service} is back"), BACK, async || {
        (is_healthy(service) && is_ready(front).await).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the system in containers: make test-containers"]
async fn a_thousand_clients_buy_exactly_what_is_there() {
    let front = given().front();
    for _ in 0..RUNS {
        thousand::exactly_100_are_sold(&front).await;
        thousand::users_drawn_at_random_get_what_they_can_pay(&front).await;
    }
    given().data().settled(BACK).await;
    given().audit().await.clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the system in containers: make test-containers"]
async fn whatever_container_is_killed_every_answer_is_true_and_everything_adds_up() {
    let stage = Stage::gateway().await;
    let front: &Front = &stage;
    let buyers = Buyers::prepare(front, 2).await;
    let killed = ["order-1", "stock-2", "payment-1", "order-redis-0", "stock-redis-1", "payment-redis-0"];
    let told = buyers
        .shop_during(front, async {
            for service in killed {
                kill_and_start_again(front, service).await;
            }
        })
        .await;
    buyers.check(front, &stage.data, &told).await;
    given().audit().await.clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the system in containers: make test-containers"]
async fn checkouts_that_are_repeated_survive_the_death_of_the_gateway() {
    let front = given().front();
    let (user, item) = (front.user_with(1000).await, front.item_with(1000, 1).await);
    let orders = front.each(0..200, |_| async { front.order_of(&user, &[(&item, 1)]).await }).await;
    let checkouts =
        front.at_once(orders, |front, order| async move { front.checkout_until_definite(&order, true).await.status });
    let (statuses, ()) = tokio::join!(checkouts, async {
        docker(&["kill"], "gateway");
        tokio::time::sleep(UNDISTURBED).await;
        docker(&["start"], "gateway");
    });
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    // Connections to the dead one are of no use any more.
    let front = given().front();
    eventually("the gateway is back", BACK, async || is_ready(&front).await.then_some(())).await;
    assert_eq!((front.stock_of(&item).await, front.credit_of(&user).await), (800, 800));
    given().data().settled(BACK).await;
    given().audit().await.clean();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs the system in containers: make test-containers"]
async fn no_container_is_root_or_can_write_to_its_image() {
    for service in ["gateway", "order-1", "stock-2", "payment-1", "order-redis-0"] {
        let shown = docker(
            &["inspect", "--format", "{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}}"],
            service,
        );
        let mut shown = shown.split(' ');
        assert!(shown.next().is_some_and(|user| !matches!(user, "" | "0" | "root")), "{service}");
        assert_eq!((shown.next(), shown.next()), (Some("true"), Some("[ALL]")), "{service}");
    }
}
