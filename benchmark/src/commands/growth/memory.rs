//! Memory: of Redis for each order in its states, and of each process under many clients.

use std::rc::Rc;
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;

use super::{GrowthArgs, TIMEOUT, plan};
use crate::commands::measurement::Measurement;
use crate::load::drive::{self, Plan};
use crate::load::fill::{Fill, How};
use crate::load::orders::{Orders, Pick};
use crate::load::pace::Pace;
use crate::measure::cpu;
use crate::measure::settle::{self, OrderShards};
use crate::report::chart::{Bar, Bars};
use crate::report::findings::Findings;
use crate::report::table::{Table, grouped};
use crate::shop::control::Control;
use crate::shop::front::ShopArgs;
use crate::systems::system::System;
use crate::waiting::during;

/// Orders over which memory is divided.
const ORDERS: u64 = 50_000;

/// Tombstones live until 70 s after the deadline of their attempt, and that is 5 s after its beginning.
const TOMBSTONES: Duration = Duration::from_secs(76);

/// Longest wait for Redis to take away what has run out, after that.
const EXPIRY_WAIT: Duration = Duration::from_secs(60);

/// How long many clients ask while memory is read.
const MANY_FOR: Duration = Duration::from_secs(10);

/// Memory and number of keys of the servers of order, stock and payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    bytes: [i64; 3],
    keys: [i64; 3],
}

pub async fn run(args: &GrowthArgs, findings: &mut Findings) -> Result<(), String> {
    by_state(args, findings).await?;
    by_process(args, findings).await
}

async fn by_state(args: &GrowthArgs, findings: &mut Findings) -> Result<(), String> {
    let system = System::shop(&args.system, 1, args.fsync).await?;
    let mut servers = Vec::new();
    for addresses in system.redis() {
        servers.push(settle::connect(&addresses[0]).await?);
    }
    let mut control = Control::connect(&ShopArgs::at(system.url().clone())).await?;
    let fill = Fill::plenty(1000, 1000, 1, ORDERS, 2)?;
    Fill { orders: 0, ..fill }.load(How::Batch, &mut control).await?;
    let empty = held(&mut servers).await?;
    let (goods, _) = fill.load(How::Batch, &mut control).await?;
    let open = held(&mut servers).await?;

    let closed = Pace::Closed { think: Duration::ZERO, ramp: Duration::ZERO };
    let measurement = Measurement {
        warm_up: None,
        plan: plan("checkouts", closed, Some(ORDERS)),
        fill,
        goods: Rc::new(goods),
        watched: Some(system.watched()),
        shards: Some(OrderShards::connect(system.order_shards()).await?),
        drained: 0,
        check_books: true,
    };
    let fronts = drive::connect(control.places(), args.clients, TIMEOUT).await?;
    let report = measurement.take(fronts, &control, Vec::new()).await?;
    let committed = report.committed.max(1);
    findings.keep("memory", report);
    let settled = held(&mut servers).await?;
    during("waiting until the tombstones are gone", tokio::time::sleep(TOMBSTONES)).await;
    let begun = Instant::now();
    let mut after = held(&mut servers).await?;
    loop {
        tokio::time::sleep(Duration::from_secs(3)).await;
        let now = held(&mut servers).await?;
        if now.keys == after.keys || begun.elapsed() > EXPIRY_WAIT {
            after = now;
            break;
        }
        after = now;
    }

    let mut table = Table::new("Memory of Redis, bytes", &["for each", "order", "stock", "payment", "all", "keys"]);
    let mut bars = Bars::new("Memory of Redis, bytes for each", []);
    let mut row = |name: &str, from: Held, to: Held, count: u64| {
        let each = |at: usize| (to.bytes[at] - from.bytes[at]) as f64 / count as f64;
        let keys = (0..3).map(|at| to.keys[at] - from.keys[at]).sum::<i64>() as f64 / count as f64;
        let mut cells = vec![name.to_owned()];
        cells.extend([each(0), each(1), each(2), each(0) + each(1) + each(2)].map(grouped));
        cells.push(format!("{keys:.2}"));
        bars.bars.push(Bar { name: name.to_owned(), value: each(0) + each(1) + each(2) });
        table.row(cells);
    };
    row("open order, two lines", empty, open, ORDERS);
    row("paid order, beyond the open one", open, after, committed);
    row("settled transaction, while its tombstones live", after, settled, committed);
    table.notes.push(format!(
        "INFO used_memory, over {ORDERS} orders; the last of the three is 0 keys in stock once tombstones are gone: {} keys are left there, of 1000 items",
        after.keys[1]
    ));
    findings.tables.push(table);
    findings.bars.push(bars);
    Ok(())
}

async fn held(servers: &mut [MultiplexedConnection]) -> Result<Held, String> {
    let mut held = Held { bytes: [0; 3], keys: [0; 3] };
    for (at, server) in servers.iter_mut().enumerate() {
        let read: Result<(String, i64), _> =
            redis::pipe().cmd("INFO").arg("memory").cmd("DBSIZE").query_async(server).await;
        let (info, keys) = read.map_err(|error| format!("Redis did not tell its memory: {error}"))?;
        let bytes = info.lines().find_map(|line| line.strip_prefix("used_memory:")?.trim().parse().ok());
        (held.bytes[at], held.keys[at]) = (bytes.unwrap_or_default(), keys);
    }
    Ok(held)
}

async fn by_process(args: &GrowthArgs, findings: &mut Findings) -> Result<(), String> {
    let system = System::shop(&args.system, 1, args.fsync).await?;
    let mut control = Control::connect(&ShopArgs::at(system.url().clone())).await?;
    let fill = Fill::plenty(1000, 1000, 1, 100_000, 2)?;
    let (goods, _) = fill.load(How::Batch, &mut control).await?;
    let watched = system.watched();
    let resident = |reading: &cpu::Reading| -> Vec<(u32, String, u64)> {
        let names = reading.names().map(|(pid, name)| (pid, name.to_owned(), cpu::resident(pid).unwrap_or_default()));
        names.collect()
    };
    let before = resident(&watched.read()?);
    let fronts = drive::connect(control.places(), args.many_clients, TIMEOUT).await?;
    let closed = Pace::Closed { think: Duration::ZERO, ramp: Duration::ZERO };
    let many = Plan { pick: Pick::Random, duration: MANY_FOR, ..plan("many clients", closed, None) };
    let orders = Rc::new(Orders::new(goods.orders.len()));
    let (fronts, run) = drive::run(&many, fronts, &Rc::new(goods), &orders, None).await?;
    let after = resident(&watched.read()?);
    let own = cpu::resident(std::process::id()).unwrap_or_default();
    drop(fronts);

    let title = format!("Memory of each process under {} clients, MB resident", grouped(f64::from(args.many_clients)));
    let mut table = Table::new(title, &["process", "before", "with the clients"]);
    let megabytes = |bytes: u64| format!("{:.1}", bytes as f64 / 1e6);
    let mut bars = Bars::new("Memory of each process under many clients, MB", []);
    for (pid, name, bytes) in after {
        bars.bars.push(Bar { name: name.clone(), value: bytes as f64 / 1e6 });
        let then = before.iter().find(|(other, ..)| *other == pid).map_or(0, |(.., bytes)| *bytes);
        table.row(vec![name, megabytes(then), megabytes(bytes)]);
    }
    table.row(vec!["the load generator itself".to_owned(), String::new(), megabytes(own)]);
    let counts = run.answers.counts();
    table.notes.push(format!(
        "{} answers in {:.1} s, {} of them failed",
        counts.all(),
        run.took.as_secs_f64(),
        counts.failed
    ));
    findings.tables.push(table);
    findings.bars.push(bars);
    Ok(())
}
