//! `price`: what a committed checkout costs in CPU time, in systems that are started for it.

use shardcart_harness::Fsync;

use crate::commands::checkout::{self, CheckoutArgs};
use crate::report::chart::{Chart, Series};
use crate::report::findings::Findings;
use crate::report::outcome::Report;
use crate::report::table::{Table, grouped, time};
use crate::systems::reference::Parts;
use crate::systems::system::{Setting, System, SystemArgs};
use crate::waiting::during;

/// Programs that have a column of their own.
const PROGRAMS: [&str; 6] = ["nginx", "shop", "order", "stock", "payment", "redis-server"];

/// What to measure.
#[derive(Debug, clap::Args)]
pub struct PriceArgs {
    #[command(flatten)]
    pub system: SystemArgs,
    /// Systems to start
    #[arg(long, value_enum, value_delimiter = ',', default_value = "a,b,c")]
    pub settings: Vec<Setting>,
    /// When Redis writes through to the disk
    #[arg(long, value_enum, value_delimiter = ',', default_value = "everysec,always")]
    pub fsync: Vec<Fsync>,
    /// Clients, each with one checkout at a time
    #[arg(long, value_delimiter = ',', default_value = "1,16,64,256", value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub clients: Vec<u32>,
    /// Checkouts in each measurement [default: 4000 with 1 client, 20000 up to 16, 50000 beyond]
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..))]
    pub checkouts: Option<u64>,
}

/// Starts one system after another and measures each.
///
/// # Errors
/// A system does not start, or stops answering.
pub async fn run(args: &PriceArgs) -> Result<Findings, String> {
    let mut findings = Findings::new("The price of a checkout");
    findings.tables.push(parts(args).await?);
    let mut chart = Chart::new(
        "CPU per committed checkout by clients",
        ("clients", true),
        ("CPU, µs per committed checkout", false),
        Vec::new(),
    );
    let mut table = table("CPU per committed checkout, µs (user + system), settling included");
    for setting in &args.settings {
        for fsync in &args.fsync {
            let system = System::start(&args.system, *setting, *fsync).await?;
            let mut points = Vec::new();
            for clients in &args.clients {
                let checkouts = args.checkouts.unwrap_or(match clients {
                    1 => 4000,
                    2..=16 => 20_000,
                    _ => 50_000,
                });
                let name = format!("{setting}, {}, {clients} clients", fsync.as_str());
                eprintln!("{name}");
                let report = checkout::run(&CheckoutArgs::of(&system, *clients, checkouts)).await?;
                table.row(row(*setting, *fsync, *clients, &report));
                points.extend(report.cpu.as_ref().map(|cpu| (f64::from(*clients), cpu.us_per_committed)));
                findings.keep(name, report);
            }
            chart.series.push(Series { name: format!("{setting}, {}", fsync.as_str()), points });
        }
    }
    table.notes.push("A: shop, 1 shard a service. B: separate services, 1 machine and 1 shard each, behind the shipped gateway. C: 2 machines and 2 shards each, behind the same".to_owned());
    table.notes.push("1000 items, 1000 users, distinct orders of two random items; load generator on the same cores; its own CPU is not in the figures".to_owned());
    findings.tables.push(table);
    findings.charts.push(chart);
    Ok(findings)
}

/// What the parts cost on this machine in this hour: prices of different machines are compared by it.
async fn parts(args: &PriceArgs) -> Result<Table, String> {
    let head = ["fsync", "clients", "all", "service", "Redis"];
    let mut table = Table::new("Four scripts one after the other in a request, and nothing else, CPU µs", &head);
    for fsync in &args.fsync {
        for clients in &args.clients {
            eprintln!("the parts, {}, {clients} clients", fsync.as_str());
            let parts = during("measuring the parts", Parts::measure(&args.system, *fsync, *clients));
            let Parts { service_us, redis_us } = parts.await?;
            let us = |us: f64| format!("{us:.1}");
            let all = us(service_us + redis_us);
            table.row(vec![fsync.as_str().to_owned(), clients.to_string(), all, us(service_us), us(redis_us)]);
        }
    }
    table.notes.push("a bare HTTP server, connections to three Redis servers shared by all its requests, a script like a reserve; none of Shardcart's code".to_owned());
    Ok(table)
}

fn table(title: &str) -> Table {
    let mut head = vec!["setting", "fsync", "clients", "all"];
    head.extend(PROGRAMS.map(|program| if program == "redis-server" { "Redis" } else { program }));
    head.extend(["committed/s", "p50", "p99", "generator"]);
    Table::new(title, &head)
}

fn row(setting: Setting, fsync: Fsync, clients: u32, report: &Report) -> Vec<String> {
    let mut row = vec![setting.to_string(), fsync.as_str().to_owned(), clients.to_string(), cost(report, None)];
    row.extend(PROGRAMS.map(|program| cost(report, Some(program))));
    row.push(grouped(report.committed_per_s));
    let latency = report.latency_us.as_ref();
    row.push(latency.map_or_else(String::new, |us| time(us.p50)));
    row.push(latency.map_or_else(String::new, |us| time(us.p99)));
    row.push(report.generator_us_per_answer.map_or_else(String::new, |us| format!("{us:.1}")));
    row
}

/// Microseconds per committed checkout, of one program or of all.
pub fn cost(report: &Report, program: Option<&str>) -> String {
    let Some(cpu) = &report.cpu else {
        return "–".to_owned();
    };
    let us = match program {
        None => Some(cpu.us_per_committed),
        Some(program) => cpu.programs().into_iter().find(|(name, _)| name == program).map(|(_, us)| us),
    };
    us.map_or_else(|| "–".to_owned(), |us| format!("{us:.1}"))
}
