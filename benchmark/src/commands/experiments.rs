//! `experiments`: what others published about systems of this kind, done again, theirs beside ours.

use std::rc::Rc;
use std::time::Duration;

use crate::commands::measurement::{self, Measurement};
use crate::load::calls::{Call, Mix};
use crate::load::drive::{self, Plan};
use crate::load::fill::{Fill, Goods, How};
use crate::load::orders::Pick;
use crate::load::pace::Pace;
use crate::measure::cpu::Watched;
use crate::measure::settle::OrderShards;
use crate::report::chart::{Bar, Bars};
use crate::report::findings::Findings;
use crate::report::outcome::Report;
use crate::report::table::{Table, grouped, time};
use crate::shop::control::Control;
use crate::shop::front::ShopArgs;

/// Pause of a client between calls, where the experiment has one.
const THINK: Duration = Duration::from_secs(1);

/// The calls of the experiment of reads and writes: as many of one as of the other.
const READS_AND_WRITES: &str =
    "find_item=30,find_order=10,find_user=10,add_item=20,add_stock=10,add_funds=10,checkout=10";

/// What a visitor does who only looks.
const QUERIES: &str = "find_item=2,find_order=1,find_user=1";

/// More than this is not asked in a second by the clients of a closed loop without pause; so many orders are loaded.
const CHECKOUTS_PER_S_MAX: u64 = 20_000;

/// How the two are to be read.
const THEIRS: &str = "theirs ran on other machines, some on clusters of many; ours on one machine, shared with the load generator if the URL is local. The figures say what a setup does, not which design is better";

/// Which of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Which {
    /// 5,950 clients with one second between calls
    Many,
    /// 1,000 clients, the same
    Thousand,
    /// 3 to 1,500 clients of reads and writes
    ReadsWrites,
    /// 100 users arriving one a second, each with a whole visit
    Arriving,
    /// 1 to 5 clients of queries and purchases
    Few,
    /// 15,000 clients, repeats included
    Flood,
}

/// What to do again.
#[derive(Debug, clap::Args)]
pub struct ExperimentsArgs {
    #[command(flatten)]
    pub shop: ShopArgs,
    /// Which of the experiments
    #[arg(long, value_enum, value_delimiter = ',', default_value = "many,thousand,reads-writes,arriving,few,flood")]
    pub only: Vec<Which>,
    /// How long each run is, in seconds; the arriving users take 100 more
    #[arg(long, default_value_t = 20, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(2..=600))]
    pub seconds: u64,
    /// Divides all numbers of clients by this, but those of `few`: for a try on a small machine. That is another load than the published one, so the column of theirs is left out
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub fewer: u32,
    /// How the data is loaded
    #[arg(long, value_enum, default_value = "batch")]
    pub load: How,
    /// Items and users to load, of each
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(1..))]
    pub records: u64,
    #[command(flatten)]
    pub watched: Watched,
    /// The order shards in shard order, each host:port or unix:/path
    #[arg(long, value_delimiter = ',', value_name = "ADDRESS,…")]
    pub redis: Vec<String>,
    /// Longest wait for one answer, in seconds
    #[arg(long, default_value_t = 30, value_name = "SECONDS")]
    pub timeout_s: u64,
}

/// One run of an experiment.
struct Run {
    clients: u32,
    think: Duration,
    ramp: Duration,
    mix: Mix,
    pick: Pick,
    seconds: u64,
    /// Orders to load, where the calls need some.
    orders: u64,
}

/// The shop, and what is the same in all runs.
struct Stage<'a> {
    args: &'a ExperimentsArgs,
    control: Control,
    watched: Option<Watched>,
    table: Table,
    rates: Bars,
    findings: Findings,
}

/// Does one after another.
///
/// # Errors
/// The shop is not ready, refuses to be filled, or stops answering.
pub async fn run(args: &ExperimentsArgs) -> Result<Findings, String> {
    let mut notes = Vec::new();
    let watched = measurement::watched(&args.watched, &mut notes)?;
    let control = Control::connect(&args.shop).await?;
    let mut findings = Findings::new(format!("What others published, done again, {}", control.places()));
    findings.notes = notes;
    let mut head = vec!["experiment"];
    head.extend(args.comparable().then_some("theirs"));
    head.extend(["requests/s", "committed/s", "already paid/s", "p50", "p99", "2xx in 0.1 s", "not 2xx"]);
    let title = match args.fewer {
        1 => "Theirs beside ours".to_owned(),
        fewer => format!("Ours alone, with 1/{fewer} of the clients"),
    };
    let table = Table::new(title, &head);
    let rates = Bars::new("Requests a second", []);
    let mut stage = Stage { args, control, watched, table, rates, findings };
    for which in &args.only {
        match which {
            Which::Many => stage.thinking(5950, "685 requests/s, 13.6 s latency").await?,
            Which::Thousand => stage.thinking(1000, "502 requests/s, 1 % failed").await?,
            Which::ReadsWrites => stage.reads_writes().await?,
            Which::Arriving => stage.arriving().await?,
            Which::Few => stage.few().await?,
            Which::Flood => stage.flood().await?,
        }
    }
    stage.table.notes.push(match args.fewer {
        1 => THEIRS.to_owned(),
        fewer => format!(
            "--fewer {fewer} divides the numbers of clients, so this is another load than the published one: the figures of others are left out, because they are not comparable"
        ),
    });
    stage.table.notes.extend(
        [
            "with one second between calls, clients cannot bring more than one request each a second: near that, the figure is the clients', and the latency is ours",
            "clients that pause begin evenly over the first second; they would otherwise all ask in the same millisecond of every second",
            "requests/s has every answer in it; committed/s are orders paid for the first time; a 2xx for an order that was paid before is counted apart",
            "a request is one HTTP request here; what it was for others is not always known",
            "p50 and p99 are of the call that is named, and of committed checkouts where none is",
        ]
        .map(str::to_owned),
    );
    stage.findings.tables.push(stage.table);
    stage.findings.bars.push(stage.rates);
    Ok(stage.findings)
}

impl ExperimentsArgs {
    /// Whether the load is the one that was published.
    fn comparable(&self) -> bool {
        self.fewer == 1
    }
}

fn many(clients: u32) -> String {
    format!("{} client{}", grouped(f64::from(clients)), if clients == 1 { "" } else { "s" })
}

impl Stage<'_> {
    fn clients(&self, clients: u32) -> u32 {
        (clients / self.args.fewer).max(1)
    }

    /// Clients that check out distinct orders and pause for a second after each answer.
    async fn thinking(&mut self, clients: u32, theirs: &str) -> Result<(), String> {
        let (clients, seconds) = (self.clients(clients), self.args.seconds);
        let orders = u64::from(clients) * (seconds + 2);
        let mix = Mix::only(Call::Checkout);
        let run = Run { clients, think: THINK, ramp: THINK, mix, pick: Pick::Distinct, seconds, orders };
        let name = format!("{}, 1 s between checkouts", many(clients));
        let report = self.measure(&name, run).await?;
        self.row(&name, theirs, &report, None);
        self.findings.keep(name, report);
        Ok(())
    }

    async fn reads_writes(&mut self) -> Result<(), String> {
        let mut counts = [3, 300, 600, 900, 1200, 1500].map(|clients| self.clients(clients)).to_vec();
        counts.dedup();
        for clients in counts {
            let seconds = self.args.seconds;
            let (mix, orders) = (READS_AND_WRITES.parse()?, CHECKOUTS_PER_S_MAX * seconds / 4);
            let (think, ramp) = (Duration::ZERO, Duration::ZERO);
            let run = Run { clients, think, ramp, mix, pick: Pick::Distinct, seconds, orders };
            let name = format!("{}, reads and writes, no pause", many(clients));
            let theirs = if clients >= 1500 { "over 1,000 requests/s, 10 replicas" } else { "–" };
            let report = self.measure(&name, run).await?;
            self.row(&name, theirs, &report, Some("find_item"));
            self.findings.keep(name, report);
        }
        Ok(())
    }

    /// Users who come one a second and stay, each with one visit after another.
    async fn arriving(&mut self) -> Result<(), String> {
        let users = self.clients(100);
        let ramp = Duration::from_secs(u64::from(users));
        let seconds = u64::from(users) + self.args.seconds;
        let mix = Mix::only(Call::Purchase);
        let run = Run { clients: users, think: THINK, ramp, mix, pick: Pick::Distinct, seconds, orders: 0 };
        let name = format!("{users} users, one more each second, whole visits, 1 s between calls");
        let report = self.measure(&name, run).await?;
        self.row(&name, "–", &report, None);
        self.findings.keep(name, report);
        Ok(())
    }

    /// A few clients without pause; queries and purchases one after the other, so that each has latencies of its own.
    async fn few(&mut self) -> Result<(), String> {
        for clients in 1..=5 {
            for (what, mix, call) in [("queries", QUERIES, Some("find_item")), ("purchases", "purchase", None)] {
                let seconds = (self.args.seconds / 4).max(1);
                let (think, ramp, pick) = (Duration::ZERO, Duration::ZERO, Pick::Distinct);
                let run = Run { clients, think, ramp, mix: mix.parse()?, pick, seconds, orders: 1000 };
                let name = format!("{}, {what}", many(clients));
                let report = self.measure(&name, run).await?;
                self.row(&name, "–", &report, call);
                self.findings.keep(name, report);
            }
        }
        Ok(())
    }

    /// As many clients as were ever claimed, on any of the loaded orders: most answers are repeats before long.
    async fn flood(&mut self) -> Result<(), String> {
        let (clients, seconds) = (self.clients(15_000), self.args.seconds);
        let (think, ramp, mix) = (Duration::ZERO, Duration::ZERO, Mix::only(Call::Checkout));
        let run = Run { clients, think, ramp, mix, pick: Pick::Random, seconds, orders: self.args.records };
        let name = format!("{}, checkouts of any order, no pause", many(clients));
        let report = self.measure(&name, run).await?;
        self.row(&name, "11,000 to 16,000 requests/s, repeats included", &report, None);
        self.findings.keep(name, report);
        Ok(())
    }

    async fn measure(&mut self, name: &str, run: Run) -> Result<Report, String> {
        eprintln!("{name}");
        let args = self.args;
        let fill = Fill::plenty(args.records, args.records, 1, run.orders.max(100_000), 2)?;
        let fill = Fill { orders: run.orders, ..fill }.lasting(&run.mix);
        let (goods, _): (Goods, _) = fill.load(args.load, &mut self.control).await?;
        let shards = match args.redis.as_slice() {
            [] => None,
            addresses => Some(OrderShards::connect(addresses).await?),
        };
        let plan = Plan {
            name: name.to_owned(),
            pace: Pace::Closed { think: run.think, ramp: run.ramp },
            mix: run.mix,
            pick: run.pick,
            checkouts: None,
            duration: Duration::from_secs(run.seconds),
            patience: Duration::from_secs(args.timeout_s),
        };
        let measurement = Measurement {
            warm_up: None,
            plan,
            fill,
            goods: Rc::new(goods),
            watched: self.watched.clone(),
            shards,
            drained: 0,
            check_books: true,
        };
        let timeout = Duration::from_secs(args.timeout_s);
        let fronts = drive::connect(self.control.places(), run.clients, timeout).await?;
        measurement.take(fronts, &self.control, Vec::new()).await
    }

    fn row(&mut self, name: &str, theirs: &str, report: &Report, call: Option<&str>) {
        let of_call = call.and_then(|call| report.calls.iter().find(|seen| seen.what == call));
        let latency = of_call.map_or(report.latency_us.as_ref(), |call| call.latency_us.as_ref());
        let a_second = |count: u64| count as f64 / report.seconds.max(1e-9);
        let named = call.map_or_else(|| name.to_owned(), |call| format!("{name} ({call})"));
        self.rates.bars.push(Bar { name: named.clone(), value: report.requests_per_s });
        let mut row = vec![named];
        row.extend(self.args.comparable().then(|| theirs.to_owned()));
        row.extend([
            grouped(report.requests_per_s),
            grouped(report.committed_per_s),
            grouped(a_second(report.already_paid)),
            latency.map_or_else(|| "–".to_owned(), |us| time(us.p50)),
            latency.map_or_else(|| "–".to_owned(), |us| time(us.p99)),
            format!("{:.1} %", report.done_within_100_ms * 100.0),
            format!("{:.2} %", 100.0 - 100.0 * report.counts.done() as f64 / report.requests.max(1) as f64),
        ]);
        self.table.row(row);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shop::standin::{Behaviour, StandIn};

    async fn experiments(only: &[Which], fewer: u32) -> Findings {
        let standin = StandIn::start(Behaviour::default()).await;
        let args = ExperimentsArgs {
            shop: ShopArgs::at(standin.url.parse().unwrap()),
            only: only.to_vec(),
            seconds: 2,
            fewer,
            load: How::Batch,
            records: 50,
            watched: Watched::default(),
            redis: Vec::new(),
            timeout_s: 10,
        };
        tokio::task::LocalSet::new().run_until(run(&args)).await.unwrap()
    }

    #[tokio::test]
    async fn the_published_load_has_theirs_beside_ours() {
        let findings = experiments(&[Which::Thousand], 1).await;
        let table = &findings.tables[0];
        assert_eq!((table.title.as_str(), table.head[1].as_str()), ("Theirs beside ours", "theirs"));
        let row = (table.rows[0][0].as_str(), table.rows[0][1].as_str());
        assert_eq!(row, ("1,000 clients, 1 s between checkouts", "502 requests/s, 1 % failed"));
        assert!(table.notes[0].starts_with("theirs ran on other machines"), "{:?}", table.notes);
    }

    #[tokio::test]
    async fn figures_of_others_never_stand_beside_another_load() {
        let findings = experiments(&[Which::Many, Which::Thousand, Which::Flood], 1000).await;
        let table = &findings.tables[0];
        let text = table.to_string();
        assert!(!text.contains("685") && !text.contains("502") && !text.contains("11,000"), "{text}");
        assert!(table.title.contains("1/1000") && table.notes[0].contains("not comparable"), "{text}");
        assert_eq!(table.head[..2], ["experiment", "requests/s"]);
        let names: Vec<_> = table.rows.iter().map(|row| row[0].as_str()).collect();
        assert_eq!(names[..2], ["5 clients, 1 s between checkouts", "1 client, 1 s between checkouts"]);
        assert!(names[2].starts_with("15 clients, checkouts of any order"), "{names:?}");
        assert_eq!(findings.bars[0].bars.len(), 3);
        let flood = &findings.runs[2].report;
        assert!(flood.committed == 50 && flood.already_paid > 0, "{}", flood.committed);
        assert_eq!(findings.verdict(), Ok(()));
    }
}
