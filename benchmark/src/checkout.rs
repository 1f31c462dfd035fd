//! `checkout`: closed-loop clients that check out each order once.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::fmt::Write as _;
use std::ops::Range;
use std::rc::Rc;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use tokio::task::JoinSet;

use crate::answers::Answers;
use crate::books::Books;
use crate::client::{Client, NoAnswer, Target};
use crate::control::{Control, ShopArgs};
use crate::cpu::{self, Watched};
use crate::fill::Fill;
use crate::report::{CheckoutReport, Cpu, Workload};
use crate::settle::{self, OrderShards, Settled};

/// A client that gets no answer this often in a row ends the measurement.
const UNANSWERED_MAX: u32 = 3;

/// Longest wait for idle processes before the measurement: what loading left to do is not its cost.
const QUIET_WAIT: Duration = Duration::from_secs(10);

/// Largest amount the shop takes: 2^53-1.
const AMOUNT_MAX: u64 = (1 << 53) - 1;

/// What to measure.
#[derive(Debug, clap::Args)]
pub struct CheckoutArgs {
    #[command(flatten)]
    pub shop: ShopArgs,
    /// Clients, each with a connection of its own and one checkout at a time
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub clients: u32,
    /// Checkouts to measure, each of an order of its own
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub checkouts: u64,
    /// Checkouts before those, not counted [default: a twentieth of them]
    #[arg(long, value_name = "CHECKOUTS")]
    pub warm_up: Option<u64>,
    /// Items that orders choose from
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    pub items: u64,
    /// Users that orders belong to
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..))]
    pub users: u64,
    /// Price of every item, in the shop's unit of money
    #[arg(long, default_value_t = 1)]
    pub price: u64,
    /// Processes whose CPU time is measured
    #[arg(long, value_delimiter = ',', value_name = "PID,…")]
    pub pids: Vec<u32>,
    /// Processes whose CPU time is measured together with that of all their descendants
    #[arg(long, value_delimiter = ',', value_name = "PID,…")]
    pub process_tree: Vec<u32>,
    /// The order shards in shard order, each host:port or unix:/path: the measurement ends when nothing is in flight on them
    #[arg(long, value_delimiter = ',', value_name = "ADDRESS,…")]
    pub redis: Vec<String>,
    /// Longest wait for one answer, in seconds
    #[arg(long, default_value_t = 15, value_name = "SECONDS")]
    pub timeout_s: u64,
    /// Ask for no more checkouts after so many seconds of measuring
    #[arg(long, default_value_t = 600, value_name = "SECONDS")]
    pub time_max_s: u64,
}

/// Fills the shop, warms it up, measures, waits until all is settled, and checks the books.
///
/// # Errors
/// There is nothing to report: the shop is not ready, refuses to be filled, or stops answering.
pub async fn run(args: &CheckoutArgs) -> Result<CheckoutReport, String> {
    let mut notes = Vec::new();
    let watched = watched(args, &mut notes)?;
    let mut control = Control::connect(&args.shop).await?;
    let mut shards = match args.redis.as_slice() {
        [] => None,
        addresses => Some(OrderShards::connect(addresses).await?),
    };
    let warm_up = args.warm_up.unwrap_or(args.checkouts / 20);
    let orders = warm_up.saturating_add(args.checkouts);
    let fill = plenty(args, orders)?;
    fill.load(&mut control).await?;

    let clients = connect(args).await?;
    let time_max = Duration::from_secs(args.time_max_s);
    let (clients, warm) = phase("warm-up", clients, 0..warm_up, time_max, &args.shop.url).await?;
    settled(&mut shards, watched.as_ref(), QUIET_WAIT).await?;
    if let Some(watched) = &watched {
        settle::idle(watched, QUIET_WAIT).await?;
    }

    let before = watched.as_ref().map(Watched::read).transpose()?;
    let own_before = cpu::own();
    let (_clients, measured) = phase("measurement", clients, warm_up..orders, time_max, &args.shop.url).await?;
    let own_after = cpu::own();
    let settled = settled(&mut shards, watched.as_ref(), settle::IDLE_WAIT).await?;
    let after = watched.as_ref().map(Watched::read).transpose()?;

    let committed = warm.answers.committed() + measured.answers.committed();
    let unknown = warm.answers.unknown() + measured.answers.unknown();
    let books = Books::check(&fill, &mut control, committed, unknown).await?;

    if measured.cut_short {
        notes.push(format!("ended by --time-max-s {} before all checkouts were asked", args.time_max_s));
    }
    let workload = Workload {
        url: args.shop.url.to_string(),
        clients: args.clients,
        checkouts: measured.answers.asked(),
        warm_up,
        items: args.items,
        users: args.users,
        price: args.price,
    };
    let cpu = before
        .zip(after)
        .map(|(before, after)| Cpu::between(&before, &after, measured.answers.committed(), &mut notes));
    let generator = own_before.zip(own_after).map(|(before, after)| after.saturating_sub(before));
    Ok(CheckoutReport::new(workload, &measured.answers, measured.took, settled, cpu, generator, books, notes))
}

fn watched(args: &CheckoutArgs, notes: &mut Vec<String>) -> Result<Option<Watched>, String> {
    let watched = Watched { alone: args.pids.clone(), trees: args.process_tree.clone() };
    if watched.is_empty() {
        notes.push("no CPU time: name processes with --process-tree or --pids".to_owned());
        return Ok(None);
    }
    if !cfg!(target_os = "linux") {
        notes.push("no CPU time: it is read on Linux only".to_owned());
        return Ok(None);
    }
    watched.read()?;
    Ok(Some(watched))
}

/// Every item and every user has enough for all orders, so that nothing is ever refused for lack of it.
fn plenty(args: &CheckoutArgs, orders: u64) -> Result<Fill, String> {
    let &CheckoutArgs { items, users, price, .. } = args;
    let stock = orders.saturating_mul(2);
    let credit = stock.saturating_mul(price);
    if credit.max(stock) > AMOUNT_MAX {
        return Err("so many checkouts at this price need more credit than a user can have".to_owned());
    }
    Ok(Fill { items, stock, price, users, credit, orders })
}

async fn connect(args: &CheckoutArgs) -> Result<Vec<Client>, String> {
    let timeout = Duration::from_secs(args.timeout_s);
    let mut clients = Vec::new();
    for number in 0..args.clients {
        let client = Client::connect(&args.shop.url, timeout).await;
        clients
            .push(client.map_err(|error| format!("client {number} got no connection to {}: {error}", args.shop.url))?);
    }
    Ok(clients)
}

async fn settled(
    shards: &mut Option<OrderShards>,
    watched: Option<&Watched>,
    idle_wait: Duration,
) -> Result<Settled, String> {
    match (shards, watched) {
        (Some(shards), _) => shards.settle().await,
        (None, Some(watched)) => settle::idle(watched, idle_wait).await,
        (None, None) => Ok(settle::blind().await),
    }
}

/// What a phase brought.
struct Phase {
    answers: Answers,
    /// From the first request to the last answer.
    took: Duration,
    /// Whether time ran out before the orders did.
    cut_short: bool,
}

/// What the clients of a phase share; they all run on one thread.
struct Shared {
    next: Cell<u64>,
    end: u64,
    stop_at: Instant,
    last_answer: Cell<Instant>,
    answers: RefCell<Answers>,
}

impl Shared {
    /// An order that nobody was given before, or `None` when there is none left or no time.
    fn next_order(&self) -> Option<u64> {
        let order = self.next.get();
        (order < self.end && self.last_answer.get() < self.stop_at).then(|| {
            self.next.set(order + 1);
            order
        })
    }
}

/// Checks out all `orders`, and gives the clients back with their connections.
async fn phase(
    name: &'static str,
    clients: Vec<Client>,
    orders: Range<u64>,
    time_max: Duration,
    target: &Target,
) -> Result<(Vec<Client>, Phase), String> {
    let begun = Instant::now();
    let bar = ProgressBar::new(orders.end - orders.start).with_prefix(name);
    if let Ok(style) = ProgressStyle::with_template("{prefix} [{bar:40}] {human_pos}/{human_len} {msg} {eta} left") {
        bar.set_style(style.progress_chars("=> "));
    }
    let shared = Rc::new(Shared {
        next: Cell::new(orders.start),
        end: orders.end,
        stop_at: begun + time_max,
        last_answer: Cell::new(begun),
        answers: RefCell::default(),
    });
    let mut running = JoinSet::new();
    for client in clients {
        running.spawn_local(check_out(client, Rc::clone(&shared)));
    }
    // A first error ends it: dropping the set ends the other clients.
    let clients = tokio::select! {
        clients = all(running) => clients,
        never = draw(&bar, &shared) => match never {},
    };
    bar.finish_and_clear();

    let answers = shared.answers.take();
    let clients = clients.map_err(|error| {
        format!("the shop at {target} stopped answering, after {} checkouts of the {name}: {error}", answers.asked())
    })?;
    let cut_short = shared.next.get() < shared.end;
    Ok((clients, Phase { answers, took: shared.last_answer.get() - begun, cut_short }))
}

/// One client: an order after another until none is left.
async fn check_out(mut client: Client, shared: Rc<Shared>) -> Result<Client, NoAnswer> {
    let mut path = String::new();
    let mut unanswered = 0;
    while let Some(order) = shared.next_order() {
        path.clear();
        let _ = write!(path, "/orders/checkout/{order}"); // Writing to a string cannot fail.
        let begun = Instant::now();
        let answer = client.ask("POST", &path).await;
        let ended = Instant::now();
        shared.last_answer.set(ended);
        let mut answers = shared.answers.borrow_mut();
        match answer {
            Ok(answer) => {
                unanswered = 0;
                answers.answered(&answer, ended - begun);
            }
            Err(error) => {
                unanswered += 1;
                answers.unanswered(&error);
                if unanswered == UNANSWERED_MAX || matches!(error, NoAnswer::Connect(_)) {
                    return Err(error);
                }
            }
        }
    }
    Ok(client)
}

async fn all(mut running: JoinSet<Result<Client, NoAnswer>>) -> Result<Vec<Client>, NoAnswer> {
    let mut clients = Vec::new();
    while let Some(ended) = running.join_next().await {
        clients.push(ended.expect("a client neither panics nor is cancelled")?);
    }
    Ok(clients)
}

/// Draws five times a second, so that drawing costs the clients nothing.
async fn draw(bar: &ProgressBar, shared: &Shared) -> Infallible {
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        bar.set_position(shared.answers.borrow().asked());
        bar.set_message(format!("{:.0}/s", bar.per_sec()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::standin::{Behaviour, StandIn};
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: CheckoutArgs,
    }

    async fn measure(behaviour: Behaviour, line: &str) -> (StandIn, Result<CheckoutReport, String>) {
        let standin = StandIn::start(behaviour).await;
        let words = format!("checkout --url {} --items 20 --users 10 {line}", standin.url);
        let line = Line::parse_from(words.split_whitespace());
        let report = tokio::task::LocalSet::new().run_until(run(&line.args)).await;
        (standin, report)
    }

    #[tokio::test]
    async fn every_order_is_checked_out_once_and_the_warm_up_is_not_counted() {
        let (standin, report) =
            measure(Behaviour::default(), "--clients 7 --checkouts 500 --warm-up 33 --price 3").await;
        let report = report.unwrap();
        assert_eq!(standin.asked(), (0..533).collect::<Vec<_>>());
        assert_eq!(report.committed, 500);
        assert!(report.answers.is_empty(), "{:?}", report.answers);
        assert_eq!(report.books.as_ref().unwrap().checkouts, 533);
        assert_eq!(report.verdict(), Ok(()));
        assert!(report.committed_per_s > 0.0 && report.latency_us.as_ref().unwrap().min > 0.0);
    }

    #[tokio::test]
    async fn a_refused_checkout_is_not_committed() {
        let behaviour = Behaviour { refuses_every: Some(10), ..Behaviour::default() };
        let (_, report) = measure(behaviour, "--clients 3 --checkouts 100 --warm-up 0").await;
        let report = report.unwrap();
        assert_eq!(report.committed, 90);
        assert_eq!((report.answers[0].answer.as_str(), report.answers[0].count), ("409 checkout_aborted", 10));
        assert!(report.books.as_ref().unwrap().balanced);
    }

    #[tokio::test]
    async fn a_checkout_that_takes_nothing_is_found_out() {
        let behaviour = Behaviour { lies: true, ..Behaviour::default() };
        let (_, report) = measure(behaviour, "--checkouts 50").await;
        assert!(report.unwrap().verdict().unwrap_err().contains("do not agree"));
    }

    #[tokio::test]
    async fn a_shop_that_stops_is_an_error_that_says_so() {
        let behaviour = Behaviour { stops_after: Some(40), ..Behaviour::default() };
        let (_, report) = measure(behaviour, "--clients 4 --checkouts 500").await;
        let error = report.unwrap_err();
        assert!(error.contains("stopped answering"), "{error}");
    }

    #[tokio::test]
    async fn a_shop_that_was_never_there_is_an_error_that_says_so() {
        let line = Line::parse_from(["checkout", "--url", "http://127.0.0.1:1", "--ready-timeout-s", "0"]);
        let error = run(&line.args).await.unwrap_err();
        assert!(error.contains("not ready") && error.contains("connect"), "{error}");
    }
}
