//! `checkout`: closed-loop clients that check out each order once.

use std::rc::Rc;
use std::time::Duration;

use crate::commands::measurement::{self, Measurement};
use crate::load::calls::{Call, Mix};
use crate::load::drive::{self, Plan};
use crate::load::fill::{Fill, How};
use crate::load::orders::Pick;
use crate::load::pace::Pace;
use crate::measure::cpu::Watched;
use crate::measure::settle::OrderShards;
use crate::report::outcome::Report;
use crate::shop::control::Control;
use crate::shop::front::ShopArgs;
use crate::systems::system::System;

/// What to measure.
#[derive(Debug, clap::Args)]
pub struct CheckoutArgs {
    #[command(flatten)]
    pub shop: ShopArgs,
    /// Clients, each with a connection of its own and one checkout at a time
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=60_000))]
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
    #[command(flatten)]
    pub watched: Watched,
    /// The order shards in shard order, each host:port or unix:/path: the measurement ends when nothing is in flight on them
    #[arg(long, value_delimiter = ',', value_name = "ADDRESS,…")]
    pub redis: Vec<String>,
    /// Longest wait for one answer, in seconds
    #[arg(long, default_value_t = 15, value_name = "SECONDS")]
    pub timeout_s: u64,
    /// Ask for no more checkouts after so many seconds of measuring
    #[arg(long, default_value_t = 600, value_name = "SECONDS")]
    pub time_max_s: u64,
    /// Give up when no client had an answer for so many seconds
    #[arg(long, default_value_t = 10, value_name = "SECONDS")]
    pub patience_s: u64,
}

impl CheckoutArgs {
    /// So many checkouts of a system that was started for it, with the usual thousand items and users.
    pub fn of(system: &System, clients: u32, checkouts: u64) -> Self {
        Self {
            shop: ShopArgs::at(system.url().clone()),
            clients,
            checkouts,
            warm_up: None,
            items: 1000,
            users: 1000,
            price: 1,
            watched: system.watched(),
            redis: system.order_shards().to_vec(),
            timeout_s: 15,
            time_max_s: 600,
            patience_s: 10,
        }
    }
}

/// Fills the shop, warms it up, measures, waits until all is settled, and checks the books.
///
/// # Errors
/// There is nothing to report: the shop is not ready, refuses to be filled, or stops answering.
pub async fn run(args: &CheckoutArgs) -> Result<Report, String> {
    let mut notes = Vec::new();
    let watched = measurement::watched(&args.watched, &mut notes)?;
    let mut control = Control::connect(&args.shop).await?;
    let shards = match args.redis.as_slice() {
        [] => None,
        addresses => Some(OrderShards::connect(addresses).await?),
    };
    let warm_up = args.warm_up.unwrap_or(args.checkouts / 20);
    let orders = warm_up.saturating_add(args.checkouts);
    let fill = Fill::plenty(args.items, args.users, args.price, orders, 2)?;
    let (goods, _) = fill.load(How::Batch, &mut control).await?;
    let fronts = drive::connect(control.places(), args.clients, Duration::from_secs(args.timeout_s)).await?;
    let plan = |name: &str, checkouts| Plan {
        name: name.to_owned(),
        pace: Pace::Closed { think: Duration::ZERO, ramp: Duration::ZERO },
        mix: Mix::only(Call::Checkout),
        pick: Pick::Distinct,
        checkouts: Some(checkouts),
        duration: Duration::from_secs(args.time_max_s),
        patience: Duration::from_secs(args.patience_s),
    };
    let measurement = Measurement {
        warm_up: (warm_up > 0).then(|| plan("warm-up", warm_up)),
        plan: plan("measurement", args.checkouts),
        fill,
        goods: Rc::new(goods),
        watched,
        shards,
        drained: 0,
        check_books: true,
    };
    measurement.take(fronts, &control, notes).await
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::shop::standin::{Behaviour, StandIn};

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: CheckoutArgs,
    }

    async fn measure(behaviour: Behaviour, line: &str) -> (StandIn, Result<Report, String>) {
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
        let (_, report) = measure(behaviour, "--clients 4 --checkouts 500 --patience-s 0").await;
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
