//! The figures, for readers (`Display`) and for machines (`Serialize`).

use std::collections::BTreeMap;
use std::fmt::{Display, Formatter, Result as Written};
use std::time::Duration;

use serde::Serialize;

use crate::answers::{Answers, Kind, Latency};
use crate::books::Books;
use crate::cpu::{Reading, Spent};
use crate::load::LoadReport;
use crate::settle::Settled;

/// A generator that uses more of its one core than this may be what sets the rate.
const GENERATOR_BUSY: f64 = 0.9;

/// What was asked of the shop; the names are those of the command line.
#[derive(Debug, Serialize)]
pub struct Workload {
    /// Where the shop is.
    pub url: String,
    /// Clients, each with one checkout at a time.
    pub clients: u32,
    /// Measured checkouts that were asked for.
    pub checkouts: u64,
    /// Checkouts before those.
    pub warm_up: u64,
    /// Items that orders chose from.
    pub items: u64,
    /// Users that orders belonged to.
    pub users: u64,
    /// Price of every item.
    pub price: u64,
}

/// CPU time of the named processes, from the start of the measurement until all was settled.
#[derive(Debug, Serialize)]
pub struct Cpu {
    /// Where it was read.
    pub source: &'static str,
    /// All processes, in seconds.
    pub seconds: f64,
    /// All processes, in microseconds for each committed checkout.
    pub us_per_committed: f64,
    /// Each process.
    pub processes: Vec<ProcessCpu>,
}

/// CPU time of one process.
#[derive(Debug, Serialize)]
pub struct ProcessCpu {
    /// The process id.
    pub pid: u32,
    /// The program, and what tells it from others of its name.
    pub name: String,
    /// User and system time, in seconds.
    pub seconds: f64,
    /// The same in microseconds for each committed checkout.
    pub us_per_committed: f64,
    /// The part that is system time, 0 to 1.
    pub system_share: f64,
}

/// What a measurement of checkouts found.
#[derive(Debug, Serialize)]
pub struct CheckoutReport {
    /// What was asked.
    pub workload: Workload,
    /// CPU cores of this machine that the generator may use.
    pub cores: usize,
    /// From the first request to the last answer.
    pub seconds: f64,
    /// Orders answered 2xx.
    pub committed: u64,
    /// Those over `seconds`.
    pub committed_per_s: f64,
    /// How long they took.
    pub latency_us: Option<Latency>,
    /// CPU time, if processes were named.
    pub cpu: Option<Cpu>,
    /// CPU time of the generator itself, in microseconds an answer; in no other figure.
    pub generator_us_per_answer: Option<f64>,
    /// How the wait for everything to be settled ended.
    pub settled: Settled,
    /// Every kind of answer but committed.
    pub answers: Vec<Kind>,
    /// What the stores say was taken, warm-up included.
    pub books: Option<Books>,
    /// What a reader must know to judge the figures.
    pub notes: Vec<String>,
}

impl Cpu {
    /// What was spent between two readings for `committed` checkouts.
    pub fn between(before: &Reading, after: &Reading, committed: u64, notes: &mut Vec<String>) -> Self {
        let (spent, lost) = after.since(before);
        notes.extend(lost.iter().map(|pid| format!("process {pid} ended: its CPU time is missing")));
        let seconds = spent.iter().map(|process| process.seconds).sum();
        let processes = spent.into_iter().map(|Spent { pid, name, seconds, system_share }| ProcessCpu {
            pid,
            name,
            seconds,
            us_per_committed: us_each(seconds, committed),
            system_share,
        });
        Self {
            source: after.source(),
            seconds,
            us_per_committed: us_each(seconds, committed),
            processes: processes.collect(),
        }
    }

    /// Programs of which there is more than one process, with their number and sum.
    fn sums(&self) -> Vec<(String, f64)> {
        let mut programs = BTreeMap::<&str, (u32, f64)>::new();
        for process in &self.processes {
            let program = process.name.split(' ').next().unwrap_or_default();
            let sum = programs.entry(program).or_default();
            sum.0 += 1;
            sum.1 += process.us_per_committed;
        }
        let several = programs.into_iter().filter(|(_, (count, _))| *count > 1);
        several.map(|(program, (count, us))| (format!("all {count} {program}"), us)).collect()
    }
}

impl CheckoutReport {
    /// Puts the figures together.
    #[expect(clippy::too_many_arguments, reason = "each is one part of the report, named once and here")]
    pub fn new(
        workload: Workload,
        answers: &Answers,
        took: Duration,
        settled: Settled,
        cpu: Option<Cpu>,
        generator: Option<Duration>,
        books: Option<Books>,
        mut notes: Vec<String>,
    ) -> Self {
        let seconds = took.as_secs_f64();
        if !settled.seen && cpu.is_some() {
            notes.push("it was not seen to settle: CPU time of settling may be missing".to_owned());
        }
        if generator.is_some_and(|generator| generator.as_secs_f64() > GENERATOR_BUSY * seconds) {
            notes.push("the generator was busy nearly all the time: it may be what sets the rate".to_owned());
        }
        if books.is_none() {
            notes.push("too many items and users to add up what was taken".to_owned());
        }
        if cpu.is_some() && answers.asked() > answers.committed() {
            notes.push("CPU time includes that of the answers that were not committed".to_owned());
        }
        Self {
            workload,
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            seconds,
            committed: answers.committed(),
            committed_per_s: if seconds > 0.0 { answers.committed() as f64 / seconds } else { 0.0 },
            latency_us: answers.latency(),
            cpu,
            generator_us_per_answer: generator.map(|used| us_each(used.as_secs_f64(), answers.asked())),
            settled,
            answers: answers.others(),
            books,
            notes,
        }
    }

    /// Whether the figures mean anything.
    ///
    /// # Errors
    /// Nothing was committed, or the stores do not agree with the answers.
    pub fn verdict(&self) -> Result<(), String> {
        if self.committed == 0 {
            return Err("not one checkout was committed".to_owned());
        }
        if self.books.as_ref().is_some_and(|books| !books.balanced) {
            return Err("what was taken and what was answered do not agree".to_owned());
        }
        Ok(())
    }
}

fn us_each(seconds: f64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { seconds * 1e6 / count as f64 }
}

impl Display for LoadReport {
    fn fmt(&self, out: &mut Formatter<'_>) -> Written {
        writeln!(out, "load, {}\n", self.url)?;
        for call in &self.calls {
            writeln!(out, "  {:<8}{:>12}{:>12.3} s", call.what, call.count, call.seconds)?;
        }
        let count: u64 = self.calls.iter().map(|call| call.count).sum();
        writeln!(out, "  {:<8}{:>12}{:>12.3} s", "total", count, self.seconds)
    }
}

impl Display for CheckoutReport {
    fn fmt(&self, out: &mut Formatter<'_>) -> Written {
        let Workload { url, clients, checkouts, warm_up, items, users, price } = &self.workload;
        let plural = if *clients == 1 { "" } else { "s" };
        writeln!(out, "checkout, {clients} client{plural}, {url}, {} cores", self.cores)?;
        writeln!(
            out,
            "{checkouts} checkouts after {warm_up} to warm up, of 2 of {items} items by {users} users, price {price}\n"
        )?;

        writeln!(out, "  {:<34}{:>12}", "committed", self.committed)?;
        writeln!(out, "  {:<34}{:>12.3}", "seconds", self.seconds)?;
        writeln!(out, "  {:<34}{:>12.0}", "committed/s", self.committed_per_s)?;
        if let Some(Latency { min, p50, p90, p99, max }) = &self.latency_us {
            writeln!(out, "\n  latency of committed, µs")?;
            for (name, us) in [("min", min), ("p50", p50), ("p90", p90), ("p99", p99), ("max", max)] {
                writeln!(out, "    {name:<32}{us:>12.0}")?;
            }
        }
        if let Some(cpu) = &self.cpu {
            write_cpu(out, cpu)?;
        }
        if !self.answers.is_empty() {
            writeln!(out, "\n  other answers")?;
        }
        for Kind { answer, count, first } in &self.answers {
            writeln!(out, "    {answer:<32}{count:>12}  first: {first}")?;
        }

        writeln!(out)?;
        if let Some(us) = self.generator_us_per_answer {
            writeln!(out, "  generator's own CPU: {us:.1} µs an answer, in none of the above")?;
        }
        let seen = if self.settled.seen { "settled" } else { "NOT seen to settle" };
        writeln!(out, "  {seen} {:.2} s after the last answer, by {}", self.settled.seconds, self.settled.by)?;
        if let Some(Books { units_taken, credit_taken, checkouts, balanced }) = &self.books {
            let agree = if *balanced { "agree" } else { "do NOT agree" };
            writeln!(
                out,
                "  books {agree}: {units_taken} units and {credit_taken} credit gone, {checkouts} checkouts with the warm-up"
            )?;
        }
        self.notes.iter().try_for_each(|note| writeln!(out, "  note: {note}"))
    }
}

fn write_cpu(out: &mut Formatter<'_>, cpu: &Cpu) -> Written {
    writeln!(out, "\n  CPU, µs per committed checkout ({})", cpu.source)?;
    for ProcessCpu { pid, name, us_per_committed, system_share, .. } in &cpu.processes {
        let process = format!("{name} ({pid})");
        writeln!(out, "    {process:<32}{us_per_committed:>12.1}  {:>3.0} % system", system_share * 100.0)?;
    }
    for (program, us) in cpu.sums() {
        writeln!(out, "    {program:<32}{us:>12.1}")?;
    }
    writeln!(out, "    {:<32}{:>12.1}", "total", cpu.us_per_committed)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: u32, name: &str, us_per_committed: f64) -> ProcessCpu {
        ProcessCpu { pid, name: name.to_owned(), seconds: 1.0, us_per_committed, system_share: 0.5 }
    }

    #[test]
    fn programs_with_several_processes_are_summed_up() {
        let processes = vec![
            process(1, "shop", 9.0),
            process(2, "redis-server order-0", 1.0),
            process(3, "redis-server stock-0", 2.0),
        ];
        let cpu = Cpu { source: "test", seconds: 3.0, us_per_committed: 12.0, processes };
        assert_eq!(cpu.sums(), [("all 2 redis-server".to_owned(), 3.0)]);
    }

    #[test]
    fn nothing_committed_is_no_figure() {
        assert_eq!(us_each(1.0, 0), 0.0);
        assert_eq!(us_each(0.5, 1000), 500.0);
    }
}
