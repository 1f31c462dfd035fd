//! `growth`: how the cost of a checkout grows with shards, data, carts, contention and load, in systems started for it.

mod calls;
mod memory;
mod metrics;
mod overload;

use std::rc::Rc;
use std::time::Duration;

use clap::ValueEnum;
use shardcart_harness::{Fsync, Service};

use crate::commands::checkout::{self, CheckoutArgs};
use crate::commands::measurement::Measurement;
use crate::commands::price::cost;
use crate::load::calls::{Call, Mix};
use crate::load::drive::{self, Plan};
use crate::load::fill::{Fill, Goods, How};
use crate::load::orders::Pick;
use crate::load::pace::Pace;
use crate::measure::settle::OrderShards;
use crate::report::chart::{Chart, Series};
use crate::report::findings::Findings;
use crate::report::outcome::Report;
use crate::report::table::{Table, grouped, time};
use crate::shop::control::Control;
use crate::shop::front::ShopArgs;
use crate::systems::system::{System, SystemArgs};
use crate::waiting::during;

/// One answer may take so long.
const TIMEOUT: Duration = Duration::from_secs(15);

/// What grows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum What {
    /// Shards a service: 1, 2, 4, 8
    Shards,
    /// Orders in the store: 10 thousand, 100 thousand, 1 million
    Store,
    /// Lines of a cart: 1, 2, 10, 100
    Lines,
    /// 10,000 items, 100, and one that everybody wants
    Hot,
    /// The part of the checkouts that is refused: none to nine tenths
    Refused,
    /// Memory of Redis for each order, and of each process under many clients. Waits until tombstones are gone: two minutes
    Memory,
    /// Open loop at 1, 2 and 5 times of what the shop can do
    Overload,
    /// Each call by itself: reads, and changes that are one script
    Calls,
    /// A shop that counts for /metrics and the console, and one that does not, in turn
    Metrics,
}

/// What to measure.
#[derive(Debug, clap::Args)]
pub struct GrowthArgs {
    #[command(flatten)]
    pub system: SystemArgs,
    /// Which of the measurements
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "shards,store,lines,hot,refused,memory,overload,calls,metrics"
    )]
    pub only: Vec<What>,
    /// When Redis writes through to the disk
    #[arg(long, value_enum, default_value = "everysec")]
    pub fsync: Fsync,
    /// Closed-loop clients
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub clients: u32,
    /// Checkouts in each measurement
    #[arg(long, default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(100..))]
    pub checkouts: u64,
    /// Seconds of each open loop
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub overload_s: u64,
    /// Clients under which memory is read, and connections of the open loops
    #[arg(long, default_value_t = 15_000, value_parser = clap::value_parser!(u32).range(1..=25_000))]
    pub many_clients: u32,
}

/// Measures one after another.
///
/// # Errors
/// A system does not start, or stops answering.
pub async fn run(args: &GrowthArgs) -> Result<Findings, String> {
    let mut findings = Findings::new("How cost grows");
    findings.notes.push(format!("setting A (shop), appendfsync {}, {} clients", args.fsync.as_str(), args.clients));
    for what in &args.only {
        eprintln!("growth by {}", what.to_possible_value().map_or_else(String::new, |name| name.get_name().to_owned()));
        match what {
            What::Shards => shards(args, &mut findings).await?,
            What::Store => store(args, &mut findings).await?,
            What::Lines => lines(args, &mut findings).await?,
            What::Hot => hot(args, &mut findings).await?,
            What::Refused => refused(args, &mut findings).await?,
            What::Memory => memory::run(args, &mut findings).await?,
            What::Overload => overload::run(args, &mut findings).await?,
            What::Calls => calls::run(args, &mut findings).await?,
            What::Metrics => metrics::run(args, &mut findings).await?,
        }
    }
    Ok(findings)
}

async fn shards(args: &GrowthArgs, findings: &mut Findings) -> Result<(), String> {
    let mut costs = Costs::new("Cost by shards a service", "shards", false);
    for shards in [1, 2, 4, 8] {
        let system = System::shop(&args.system, shards, args.fsync).await?;
        let report = checkout::run(&CheckoutArgs::of(&system, args.clients, args.checkouts)).await?;
        costs.add(&shards.to_string(), f64::from(shards), &report);
        findings.keep(format!("{shards} shards"), report);
    }
    costs.keep(findings);
    Ok(())
}

async fn store(args: &GrowthArgs, findings: &mut Findings) -> Result<(), String> {
    let mut costs = Costs::new("Cost by orders in the store", "orders", true);
    for orders in [10_000, 100_000, 1_000_000] {
        let system = System::shop(&args.system, 1, args.fsync).await?;
        let fill = Fill::plenty(1000, 1000, 1, orders, 2)?;
        // Of the smallest store as well no order is asked for twice.
        let checkouts = args.checkouts.min(orders * 9 / 10);
        let report = one(args, &system, fill, How::Batch, checkouts, 0.0).await?;
        costs.add(&grouped(orders as f64), orders as f64, &report);
        findings.keep(format!("{orders} orders"), report);
    }
    costs.keep(findings);
    Ok(())
}

async fn lines(args: &GrowthArgs, findings: &mut Findings) -> Result<(), String> {
    let mut costs = Costs::new("Cost by lines of a cart", "lines", true);
    let system = System::shop(&args.system, 1, args.fsync).await?;
    for lines in [1, 2, 10, 100] {
        // Filling carts line by line is what takes the time here.
        let checkouts = (args.checkouts / lines.max(2)).max(100);
        let fill = Fill::plenty(1000, 1000, 1, checkouts * 11 / 10, lines)?;
        let report = one(args, &system, fill, How::Plain, checkouts, 0.0).await?;
        costs.add(&lines.to_string(), lines as f64, &report);
        findings.keep(format!("{lines} lines"), report);
    }
    costs.keep(findings);
    Ok(())
}

async fn hot(args: &GrowthArgs, findings: &mut Findings) -> Result<(), String> {
    let mut costs = Costs::new("Cost by items that everybody wants", "items", true);
    let system = System::shop(&args.system, 1, args.fsync).await?;
    for items in [1, 100, 10_000] {
        let fill = Fill::plenty(items, 1000, 1, args.checkouts * 11 / 10, 2)?;
        let report = one(args, &system, fill, How::Batch, args.checkouts, 0.0).await?;
        costs.add(&grouped(items as f64), items as f64, &report);
        findings.keep(format!("{items} items"), report);
    }
    costs.keep(findings);
    Ok(())
}

async fn refused(args: &GrowthArgs, findings: &mut Findings) -> Result<(), String> {
    let mut costs = Costs::new("Cost by share of refused checkouts", "share refused", false);
    let system = System::shop(&args.system, 1, args.fsync).await?;
    for share in [0.0, 0.25, 0.5, 0.75, 0.9] {
        let fill = Fill::plenty(1000, 1000, 1, args.checkouts * 11 / 10, 2)?;
        let report = one(args, &system, fill, How::Batch, args.checkouts, share).await?;
        costs.add(&format!("{:.0} %", share * 100.0), share, &report);
        findings.keep(format!("{share} refused"), report);
    }
    costs.table.notes.push(
        "refused by payment, which is asked last: the dearest refusal, because stock is held and given back".to_owned(),
    );
    costs.keep(findings);
    Ok(())
}

/// Fills a system and measures it; so large a part of the users has no credit.
async fn one(
    args: &GrowthArgs,
    system: &System,
    fill: Fill,
    how: How,
    checkouts: u64,
    poor: f64,
) -> Result<Report, String> {
    let mut control = Control::connect(&ShopArgs::at(system.url().clone())).await?;
    let (goods, _) = fill.load(how, &mut control).await?;
    let drained = drain(&control, &fill, &goods, poor).await?;
    let plan = plan("measurement", Pace::Closed { think: Duration::ZERO, ramp: Duration::ZERO }, Some(checkouts));
    let measurement = Measurement {
        warm_up: Some(Plan { name: "warm-up".to_owned(), checkouts: Some(checkouts / 20), ..plan.clone() }),
        plan,
        fill,
        goods: Rc::new(goods),
        watched: Some(system.watched()),
        shards: Some(OrderShards::connect(system.order_shards()).await?),
        drained,
        check_books: true,
    };
    let fronts = drive::connect(control.places(), args.clients, TIMEOUT).await?;
    measurement.take(fronts, &control, Vec::new()).await
}

/// Checkouts of distinct orders, at this pace.
fn plan(name: &str, pace: Pace, checkouts: Option<u64>) -> Plan {
    Plan {
        name: name.to_owned(),
        pace,
        mix: Mix::only(Call::Checkout),
        pick: Pick::Distinct,
        checkouts,
        duration: Duration::from_secs(600),
        patience: Duration::from_secs(20),
    }
}

/// Takes all credit from so large a part of the users, and tells how much that was.
async fn drain(control: &Control, fill: &Fill, goods: &Goods, part: f64) -> Result<u64, String> {
    let users = (goods.users.len() as f64 * part).round() as u64;
    let all = control.each(users, async |at, control| {
        control.post(Service::Payment, format_args!("/pay/{}/{}", goods.users.get(at), fill.credit)).await
    });
    during("taking credit from users", all).await?;
    Ok(users * fill.credit)
}

/// A table and a chart of costs, as they come.
struct Costs {
    table: Table,
    chart: Chart,
}

impl Costs {
    fn new(title: &str, by: &str, log: bool) -> Self {
        let head = [
            by,
            "µs per committed",
            "shop",
            "Redis",
            "µs per answer",
            "against the first",
            "committed/s",
            "p50",
            "p99",
        ];
        let series = |name: &str| Series { name: name.to_owned(), points: Vec::new() };
        let chart = Chart::new(
            title,
            (by, log),
            ("CPU, µs per committed checkout", false),
            vec![series("all"), series("shop"), series("Redis")],
        );
        Self { table: Table::new(title, &head), chart }
    }

    fn add(&mut self, name: &str, at: f64, report: &Report) {
        let Some(cpu) = &report.cpu else {
            return;
        };
        let of = |program: &str| cpu.programs().into_iter().find(|(name, _)| name == program).map_or(0.0, |(_, us)| us);
        let values = [cpu.us_per_committed, of("shop"), of("redis-server")];
        for (series, value) in self.chart.series.iter_mut().zip(values) {
            series.points.push((at, value));
        }
        let first = self.chart.series[0].points[0].1;
        let latency = report.latency_us.as_ref();
        self.table.row(vec![
            name.to_owned(),
            cost(report, None),
            cost(report, Some("shop")),
            cost(report, Some("redis-server")),
            format!("{:.1}", cpu.seconds * 1e6 / report.requests.max(1) as f64),
            format!("{:.2}", cpu.us_per_committed / first.max(1e-9)),
            grouped(report.committed_per_s),
            latency.map_or_else(String::new, |us| time(us.p50)),
            latency.map_or_else(String::new, |us| time(us.p99)),
        ]);
    }

    fn keep(self, findings: &mut Findings) {
        findings.tables.push(self.table);
        findings.charts.push(self.chart);
    }
}
