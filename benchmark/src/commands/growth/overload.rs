//! Behaviour past saturation: an open loop that brings more than the shop can do.

use std::rc::Rc;
use std::time::Duration;

use super::{GrowthArgs, TIMEOUT, plan};
use crate::commands::measurement::Measurement;
use crate::commands::price::cost;
use crate::load::answers::Counts;
use crate::load::drive::{self, Plan};
use crate::load::fill::{Fill, How};
use crate::load::pace::{Pace, Schedule};
use crate::measure::settle::OrderShards;
use crate::report::chart::{Chart, Series};
use crate::report::findings::Findings;
use crate::report::outcome::Report;
use crate::report::table::{Table, grouped, time};
use crate::shop::control::Control;
use crate::shop::front::ShopArgs;
use crate::systems::system::System;

/// Clients of the closed loop that finds out what the shop can do.
const PROBE_CLIENTS: u32 = 256;

/// How much of what it can do is brought.
const TIMES: [f64; 3] = [1.0, 2.0, 5.0];

/// More orders than this are not loaded for one loop.
const ORDERS_MAX: u64 = 3_000_000;

pub async fn run(args: &GrowthArgs, findings: &mut Findings) -> Result<(), String> {
    let system = System::shop(&args.system, 1, args.fsync).await?;
    let head = [
        "offered/s",
        "committed/s",
        "of the peak",
        "µs per committed",
        "429/s",
        "p50",
        "p99",
        "p99 of 429",
        "failed",
        "never sent",
        "books",
    ];
    let mut table = Table::new("Past saturation", &head);

    let closed = Pace::Closed { think: Duration::ZERO, ramp: Duration::ZERO };
    let probe = Plan { checkouts: Some(args.checkouts), ..plan("capacity", closed, None) };
    let report = measure(&system, probe, args.checkouts, PROBE_CLIENTS).await?;
    let capacity = report.committed_per_s;
    let mut peak = capacity;
    findings.keep("capacity", report);

    let mut points = [Vec::new(), Vec::new()];
    for times in TIMES {
        let rate = capacity * times;
        let orders = ((rate * args.overload_s as f64) as u64 + 1).min(ORDERS_MAX);
        let pace = Pace::Open(Schedule { rate, ramp: Duration::ZERO, poisson: true });
        let name = format!("open loop at {times} of capacity");
        let open = Plan { duration: Duration::from_secs(args.overload_s), ..plan(&name, pace, None) };
        let report = measure(&system, open, orders, args.many_clients).await?;
        let committed = within(&report, args.overload_s, |counts| counts.committed);
        let turned_away = within(&report, args.overload_s, |counts| counts.turned_away);
        peak = peak.max(committed);
        let [accepted, refused] = [&report.latency_us, &report.refusal_latency_us]
            .map(|latency| latency.as_ref().map_or_else(|| "–".to_owned(), |us| time(us.p99)));
        points[0].push((rate, committed));
        points[1].push((rate, turned_away));
        let books = report.books.as_ref().map_or("–", |books| if books.balanced { "agree" } else { "do NOT agree" });
        table.row(vec![
            grouped(rate),
            grouped(committed),
            format!("{:.0} %", committed / peak * 100.0),
            cost(&report, None),
            grouped(turned_away),
            report.latency_us.as_ref().map_or_else(|| "–".to_owned(), |us| time(us.p50)),
            accepted,
            refused,
            report.counts.failed.to_string(),
            report.unsent.to_string(),
            books.to_owned(),
        ]);
        findings.keep(name, report);
    }
    table.notes.push(format!(
        "{:.0} committed/s with {PROBE_CLIENTS} closed-loop clients are taken for what the shop can do; {} connections, {} s each, random arrivals; latency counts from when a request was due; load generator on the same cores",
        capacity, args.many_clients, args.overload_s
    ));
    findings.tables.push(table);
    let [committed, turned_away] = points;
    let series = vec![
        Series { name: "committed".to_owned(), points: committed },
        Series { name: "turned away (429)".to_owned(), points: turned_away },
    ];
    findings.charts.push(Chart::new("Past saturation", ("requests offered a second", false), ("1/s", false), series));
    Ok(())
}

/// Answers a second while requests were coming; what is answered after that belongs to no rate.
fn within(report: &Report, seconds: u64, count: fn(&Counts) -> u64) -> f64 {
    let coming = || report.timeline.iter().filter(|tick| tick.at_s < seconds as f64 + 0.5);
    let time: f64 = coming().map(|tick| tick.seconds).sum();
    coming().map(|tick| count(&tick.answers)).sum::<u64>() as f64 / time.max(1e-9)
}

async fn measure(system: &System, plan: Plan, orders: u64, clients: u32) -> Result<Report, String> {
    let mut control = Control::connect(&ShopArgs::at(system.url().clone())).await?;
    let fill = Fill::plenty(1000, 1000, 1, orders, 2)?;
    let (goods, _) = fill.load(How::Batch, &mut control).await?;
    let measurement = Measurement {
        warm_up: None,
        plan,
        fill,
        goods: Rc::new(goods),
        watched: Some(system.watched()),
        shards: Some(OrderShards::connect(system.order_shards()).await?),
        drained: 0,
        check_books: true,
    };
    let fronts = drive::connect(control.places(), clients, TIMEOUT).await?;
    measurement.take(fronts, &control, Vec::new()).await
}
