//! What each call costs by itself: reads, and changes that are one script on one shard.

use std::rc::Rc;
use std::time::Duration;

use super::{GrowthArgs, TIMEOUT, plan};
use crate::commands::measurement::Measurement;
use crate::load::calls::{Call, Mix};
use crate::load::drive::{self, Plan};
use crate::load::fill::{Fill, How};
use crate::load::pace::Pace;
use crate::report::chart::{Bar, Bars};
use crate::report::findings::Findings;
use crate::report::table::{Table, grouped, time};
use crate::shop::control::Control;
use crate::shop::front::ShopArgs;
use crate::systems::system::System;

/// One after another, in the order of the table.
const CALLS: [Call; 12] = [
    Call::FindItem,
    Call::FindUser,
    Call::FindOrder,
    Call::PaymentStatus,
    Call::AddStock,
    Call::Subtract,
    Call::AddFunds,
    Call::Pay,
    Call::CreateItem,
    Call::CreateUser,
    Call::CreateOrder,
    Call::AddItem,
];

/// How long each is asked.
const EACH_FOR: Duration = Duration::from_secs(3);

pub async fn run(args: &GrowthArgs, findings: &mut Findings) -> Result<(), String> {
    let system = System::shop(&args.system, 1, args.fsync).await?;
    let head = ["call", "µs an answer", "shop", "Redis", "answers/s", "p50", "p99"];
    let mut table = Table::new("Cost of each call by itself", &head);
    let mut bars = Bars::new("CPU of each call by itself, µs an answer", []);
    for call in CALLS {
        let mut control = Control::connect(&ShopArgs::at(system.url().clone())).await?;
        let fill = Fill::plenty(1000, 1000, 1, 10_000, 2)?.lasting(&Mix::only(call));
        let (goods, _) = fill.load(How::Batch, &mut control).await?;
        let closed = Pace::Closed { think: Duration::ZERO, ramp: Duration::ZERO };
        let plan = Plan { mix: Mix::only(call), duration: EACH_FOR, ..plan(call.name(), closed, None) };
        let measurement = Measurement {
            warm_up: Some(Plan { duration: EACH_FOR / 10, ..plan.clone() }),
            plan,
            fill,
            goods: Rc::new(goods),
            watched: Some(system.watched()),
            shards: None,
            drained: 0,
            check_books: false,
        };
        let fronts = drive::connect(control.places(), args.clients, TIMEOUT).await?;
        let report = measurement.take(fronts, &control, Vec::new()).await?;
        let requests = report.requests.max(1) as f64;
        let cpu = |program: &str| {
            let processes = report.cpu.iter().flat_map(|cpu| &cpu.processes);
            let seconds: f64 =
                processes.filter(|process| process.name.starts_with(program)).map(|process| process.seconds).sum();
            format!("{:.1}", seconds * 1e6 / requests)
        };
        let used = report.cpu.as_ref().map_or(0.0, |cpu| cpu.seconds);
        bars.bars.push(Bar { name: call.name().to_owned(), value: used * 1e6 / requests });
        let latency = report.calls.first().and_then(|call| call.latency_us.as_ref());
        table.row(vec![
            call.name().to_owned(),
            cpu(""),
            cpu("shop"),
            cpu("redis-server"),
            grouped(report.requests_per_s),
            latency.map_or_else(String::new, |us| time(us.p50)),
            latency.map_or_else(String::new, |us| time(us.p99)),
        ]);
        findings.keep(call.name().to_owned(), report);
    }
    findings.tables.push(table);
    findings.bars.push(bars);
    Ok(())
}
