//! `stress`: any mix of calls, in a closed or an open loop, for a time or a number of checkouts.

use std::rc::Rc;
use std::time::Duration;

use crate::commands::measurement::{self, Measurement};
use crate::load::calls::{Call, Mix};
use crate::load::drive::{self, Plan, VISITOR_PRICE_MAX};
use crate::load::fill::{Fill, How};
use crate::load::orders::Pick;
use crate::load::pace::{Pace, Schedule};
use crate::measure::cpu::Watched;
use crate::measure::settle::OrderShards;
use crate::report::outcome::Report;
use crate::shop::control::Control;
use crate::shop::front::ShopArgs;

/// The longest run that ends by its number of checkouts.
const DURATION_MAX_S: u64 = 3600;

/// What to do to the shop.
#[derive(Debug, clap::Args)]
pub struct StressArgs {
    #[command(flatten)]
    pub shop: ShopArgs,
    /// Clients, each with a connection of its own; of an open loop, the most connections it uses [default: 64; open loop: 1000]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=60_000))]
    pub clients: Option<u32>,
    /// Pause of a client between an answer and its next request, in milliseconds
    #[arg(long, default_value_t = 0, value_name = "MILLISECONDS")]
    pub think_ms: u64,
    /// Open loop: so many requests a second are due, whoever is free. A purchase counts as one
    #[arg(long, value_name = "PER SECOND", value_parser = rate, conflicts_with = "think_ms")]
    pub rate: Option<f64>,
    /// Open loop: requests are due at random moments, as independent users arrive, instead of evenly
    #[arg(long, requires = "rate")]
    pub poisson: bool,
    /// Time over which the clients begin one by one, or the rate grows, in seconds [default: --think-ms, so that the clients do not ask all at once]
    #[arg(long, value_name = "SECONDS", value_parser = ramp)]
    pub ramp_s: Option<f64>,
    /// How long, in seconds [default: 30, or until the checkouts are done]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(1..=DURATION_MAX_S))]
    pub duration_s: Option<u64>,
    /// How many checkouts of loaded orders at most
    #[arg(long)]
    pub checkouts: Option<u64>,
    /// Seconds of the same before, not counted
    #[arg(long, default_value_t = 0, value_name = "SECONDS")]
    pub warm_up_s: u64,
    /// Calls by weight: checkout=1,find_item=3. There are checkout, purchase (a whole visit), find_order, find_item, find_user, payment_status, create_order, add_item, create_item, add_stock, subtract, create_user, add_funds, pay
    #[arg(long, default_value = "checkout")]
    pub mix: Mix,
    /// Which loaded order is checked out next: each once, or any
    #[arg(long, value_enum, default_value = "distinct")]
    pub pick: Pick,
    /// How the data is loaded: batch_init overwrites items, users and orders 0, 1, 2 …; plain calls overwrite nothing and are slower
    #[arg(long, value_enum, default_value = "batch")]
    pub load: How,
    /// Items to load
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub items: u64,
    /// Users to load
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub users: u64,
    /// Orders to load
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub orders: u64,
    /// Price of every item, in the shop's unit of money
    #[arg(long, default_value_t = 1)]
    pub price: u64,
    #[command(flatten)]
    pub watched: Watched,
    /// The order shards in shard order, each host:port or unix:/path: CPU time counts until nothing is in flight on them
    #[arg(long, value_delimiter = ',', value_name = "ADDRESS,…")]
    pub redis: Vec<String>,
    /// Longest wait for one answer, in seconds
    #[arg(long, default_value_t = 15, value_name = "SECONDS")]
    pub timeout_s: u64,
    /// Give up when no client had an answer for so many seconds
    #[arg(long, default_value_t = 10, value_name = "SECONDS")]
    pub patience_s: u64,
}

fn ramp(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=DURATION_MAX_S as f64).contains(&seconds) => Ok(seconds),
        _ => Err(format!("expected a number of seconds, 0 to {DURATION_MAX_S}")),
    }
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= 1e6 => Ok(rate),
        _ => Err("expected a number of requests a second, more than 0 and at most 1000000".to_owned()),
    }
}

/// Fills the shop, does to it what was asked, and waits until all is settled.
///
/// # Errors
/// There is nothing to report: the shop is not ready, refuses to be filled, or stops answering.
pub async fn run(args: &StressArgs) -> Result<Report, String> {
    let mut notes = Vec::new();
    let watched = measurement::watched(&args.watched, &mut notes)?;
    let mut control = Control::connect(&args.shop).await?;
    let shards = match args.redis.as_slice() {
        [] => None,
        addresses => Some(OrderShards::connect(addresses).await?),
    };
    let fill = Fill::plenty(args.items, args.users, args.price, args.orders, 2)?.lasting(&args.mix);
    let (goods, _) = fill.load(args.load, &mut control).await?;
    let clients = args.clients.unwrap_or(if args.rate.is_some() { 1000 } else { 64 });
    let fronts = drive::connect(control.places(), clients, Duration::from_secs(args.timeout_s)).await?;
    let plan = args.plan();
    let warm_up = Plan {
        name: "warm-up".to_owned(),
        checkouts: None,
        duration: Duration::from_secs(args.warm_up_s),
        ..plan.clone()
    };
    let measurement = Measurement {
        warm_up: (args.warm_up_s > 0).then_some(warm_up),
        plan,
        fill,
        goods: Rc::new(goods),
        watched,
        shards,
        drained: 0,
        check_books: true,
    };
    measurement.take(fronts, &control, notes).await
}

impl StressArgs {
    /// Whether all that was said can have an effect.
    ///
    /// # Errors
    /// What cannot.
    pub fn sensible(&self) -> Result<(), String> {
        let checkouts = self.mix.has(Call::Checkout);
        if self.checkouts.is_some() && !checkouts {
            return Err(format!("--checkouts counts checkouts of loaded orders, and --mix {} has none", self.mix));
        }
        if self.pick == Pick::Random && !checkouts {
            return Err(format!("--pick chooses loaded orders to check out, and --mix {} checks out none", self.mix));
        }
        if self.mix.has(Call::Purchase) && self.price > VISITOR_PRICE_MAX {
            return Err(format!("a visitor of --mix purchase cannot pay more than --price {VISITOR_PRICE_MAX}"));
        }
        Ok(())
    }

    fn plan(&self) -> Plan {
        let think = Duration::from_millis(self.think_ms);
        let ramp = self.ramp_s.map(Duration::from_secs_f64);
        let pace = match self.rate {
            Some(rate) => Pace::Open(Schedule { rate, ramp: ramp.unwrap_or_default(), poisson: self.poisson }),
            None => Pace::Closed { think, ramp: ramp.unwrap_or(think) },
        };
        let seconds = self.duration_s.unwrap_or(if self.checkouts.is_some() { DURATION_MAX_S } else { 30 });
        Plan {
            name: "stress".to_owned(),
            pace,
            mix: self.mix.clone(),
            pick: self.pick,
            checkouts: self.checkouts,
            duration: Duration::from_secs(seconds),
            patience: Duration::from_secs(self.patience_s),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::shop::standin::{Behaviour, StandIn};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: StressArgs,
    }

    async fn stress(behaviour: Behaviour, line: &str) -> Result<Report, String> {
        // On a thread of its own: a stand-in that stalls must not stall the generator.
        let (told, url) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let standin = StandIn::start(behaviour).await;
                told.send(standin.url.clone()).unwrap();
                std::future::pending::<()>().await;
            });
        });
        let words = format!("stress --url {} --items 20 --users 10 {line}", url.recv().unwrap());
        let line = Line::parse_from(words.split_whitespace());
        tokio::task::LocalSet::new().run_until(run(&line.args)).await
    }

    /// One connection, 100 requests a second for two seconds, and a server that stands still for one of them. A
    /// generator that measured from when it got to send would see one slow answer; those that came to a server
    /// standing still waited too.
    #[tokio::test]
    async fn an_open_loop_charges_a_stall_to_all_who_came_in_it() {
        let behaviour = Behaviour { stalls: Some((50, Duration::from_secs(1))), ..Behaviour::default() };
        let report = stress(behaviour, "--rate 100 --clients 1 --duration-s 2 --orders 1000").await.unwrap();
        let latency = report.latency_us.as_ref().unwrap();
        assert_eq!((report.committed, report.unsent), (200, 0));
        assert!(latency.max >= 1e6, "{latency:?}");
        // A hundred requests came in that second: nine of ten of all were as fast as 0.8 s only if they did not count.
        assert!(latency.p90 >= 600_000.0, "{latency:?}");
    }

    #[tokio::test]
    async fn repeats_are_not_committed() {
        let report =
            stress(Behaviour::default(), "--pick random --orders 30 --checkouts 500 --clients 5").await.unwrap();
        assert_eq!((report.committed, report.already_paid), (30, 470));
        assert_eq!(report.requests, 500);
        let done: Vec<_> = report.calls.iter().map(|call| (call.what.as_str(), call.done)).collect();
        assert_eq!(done, [("checkout: committed", 30), ("checkout: already paid", 470)]);
    }

    #[tokio::test]
    async fn a_run_out_of_orders_ends_and_says_so() {
        let report = stress(Behaviour::default(), "--orders 40 --duration-s 20").await.unwrap();
        assert_eq!(report.committed, 40);
        assert!(report.notes.iter().any(|note| note.contains("load more")), "{:?}", report.notes);
    }

    #[tokio::test]
    async fn thinking_clients_ask_no_faster_than_they_think() {
        let report = stress(Behaviour::default(), "--think-ms 200 --clients 10 --duration-s 1 --orders 1000").await;
        // The clients begin over the first 0.2 s, and ask five times a second from then on.
        let committed = report.unwrap().committed;
        assert!((1..=50).contains(&committed), "{committed}");
    }

    #[tokio::test]
    async fn a_mix_is_done_and_told_apart() {
        let mix = "--mix checkout=1,find_item=1,find_user=1 --checkouts 100 --clients 3 --orders 200";
        let report = stress(Behaviour::default(), mix).await.unwrap();
        assert_eq!(report.committed, 100);
        let done = |what: &str| report.calls.iter().find(|call| call.what == what).unwrap().done;
        assert!(done("find_item") > 10 && done("find_user") > 10);
        assert_eq!(report.requests, 100 + done("find_item") + done("find_user"));
        assert_eq!(report.verdict(), Ok(()));
    }

    #[tokio::test]
    async fn data_can_be_loaded_without_batch_init() {
        let line = "--load plain --orders 60 --checkouts 60 --clients 3";
        let report = stress(Behaviour::default(), line).await.unwrap();
        assert_eq!(report.committed, 60);
        assert_eq!(report.verdict(), Ok(()));
    }

    #[tokio::test]
    async fn a_shop_that_ran_out_of_stock_has_no_figures_that_stand() {
        let behaviour = Behaviour { sells_out_after: Some(20), ..Behaviour::default() };
        let report = stress(behaviour, "--checkouts 100 --orders 100 --clients 3").await.unwrap();
        assert_eq!((report.committed, report.counts.refused), (20, 80));
        let why = report.verdict().unwrap_err();
        assert!(why.contains("80.0 %") && why.contains("ran out") && why.contains("2xx 20.0 %"), "{why}");
        let text = report.to_string();
        assert!(text.contains("2xx 20.0 %, refused (4xx) 80.0 %"), "{text}");
    }

    #[tokio::test]
    async fn fewer_refusals_than_half_leave_the_figures_standing() {
        let behaviour = Behaviour { sells_out_after: Some(60), ..Behaviour::default() };
        let report = stress(behaviour, "--checkouts 100 --orders 100 --clients 3").await.unwrap();
        assert_eq!(report.verdict(), Ok(()));
    }

    #[test]
    fn a_flag_without_effect_is_refused_in_a_sentence() {
        for (line, said) in [
            ("--mix purchase --checkouts 5", "--checkouts"),
            ("--mix find_item --pick random", "--pick"),
            ("--mix purchase --price 600000000", "--price"),
        ] {
            let line = Line::parse_from(format!("stress {line}").split_whitespace());
            assert!(line.args.sensible().unwrap_err().contains(said), "{said}");
        }
        assert!(Line::try_parse_from(["stress", "--ramp-s", "-1"]).is_err());
    }

    #[tokio::test]
    async fn a_purchase_is_a_whole_visit() {
        let report =
            stress(Behaviour::default(), "--mix purchase --clients 2 --duration-s 1 --orders 1").await.unwrap();
        let done = |what: &str| report.calls.iter().find(|call| call.what == what).unwrap().done;
        assert!(report.committed > 0);
        assert!(done("create_user") >= report.committed && done("find_item") >= 3 * report.committed);
    }
}
