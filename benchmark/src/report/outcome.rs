//! The figures, for readers (`Display`) and for machines (`Serialize`).

use std::collections::BTreeMap;
use std::fmt::{Display, Formatter, Result as Written};
use std::time::Duration;

use serde::Serialize;

use crate::load::answers::{CallReport, Counts, Kind, Latency, Point, What};
use crate::load::books::Books;
use crate::load::calls::Call;
use crate::load::drive::Run;
use crate::load::fill::Loading;
use crate::load::timeline::Tick;
use crate::measure::cpu::{Reading, Spent};
use crate::measure::settle::Settled;
use crate::report::made::Made;
use crate::report::table::percent;

/// A generator that uses more of its one core than this may be what sets the rate.
const GENERATOR_BUSY: f64 = 0.9;

/// What is counted of checkouts, one after another.
const CHECKOUTS: [What; 3] = [What::Committed, What::AlreadyPaid, What::Call(Call::Checkout)];

/// What was asked of the shop; the names are those of the command line.
#[derive(Debug, Serialize)]
pub struct Workload {
    /// Where the shop is.
    pub url: String,
    /// Closed or open loop, and what that one needs.
    pub pace: String,
    /// Calls by weight.
    pub mix: String,
    /// Clients, each with a connection of its own.
    pub clients: usize,
    /// Measured checkouts that were asked for.
    pub checkouts: u64,
    /// Requests before those.
    pub warm_up: u64,
    /// Items that orders chose from.
    pub items: u64,
    /// Users that orders belonged to.
    pub users: u64,
    /// Orders that were loaded.
    pub orders: u64,
    /// Items in each.
    pub lines: u64,
    /// Price of every item.
    pub price: u64,
    /// Credit that was taken from users on purpose, so that checkouts are refused.
    pub drained: u64,
}

/// What the generator itself took; it is in no other figure.
#[derive(Debug, Serialize)]
pub struct Generator {
    /// CPU time, in seconds.
    pub seconds: f64,
    /// CPU time, in microseconds an answer.
    pub us_per_answer: f64,
    /// The part of its one core that it was busy, 0 to 1.
    pub busy: f64,
    /// Memory that it had resident at the end, in bytes.
    pub resident_bytes: u64,
}

impl Generator {
    /// Of a run that took so long and brought so many answers.
    pub fn of(used: Duration, resident_bytes: u64, took: Duration, answers: u64) -> Self {
        let seconds = used.as_secs_f64();
        let busy = seconds / took.as_secs_f64().max(1e-9);
        Self { seconds, us_per_answer: us_each(seconds, answers), busy, resident_bytes }
    }
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

/// What a measurement found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// When, on what, by which program and command.
    pub made: Made,
    /// What was asked.
    pub workload: Workload,
    /// CPU cores of this machine that the generator may use.
    pub cores: usize,
    /// From the first request to the last answer.
    pub seconds: f64,
    /// Orders answered 2xx for the first time.
    pub committed: u64,
    /// Those over `seconds`.
    pub committed_per_s: f64,
    /// How long they took.
    pub latency_us: Option<Latency>,
    /// Checkouts answered 2xx whose order had been before.
    pub already_paid: u64,
    /// Answers of any kind to any call, and requests without one.
    pub requests: u64,
    /// Those over `seconds`.
    pub requests_per_s: f64,
    /// The part of them that was 2xx within 100 ms, 0 to 1.
    pub done_within_100_ms: f64,
    /// Requests of an open loop that were never sent, because all connections were busy.
    pub unsent: u64,
    /// All of them by what a client may conclude.
    pub counts: Counts,
    /// What was done, with its latency.
    pub calls: Vec<CallReport>,
    /// CPU time, if processes were named.
    pub cpu: Option<Cpu>,
    /// CPU time of the generator itself, in microseconds an answer.
    pub generator_us_per_answer: Option<f64>,
    /// More of the generator itself.
    pub generator: Option<Generator>,
    /// How the wait for everything to be settled ended.
    pub settled: Settled,
    /// Every kind of answer but 2xx, with the first of each.
    pub answers: Vec<Kind>,
    /// How long refused and turned away checkouts took.
    pub refusal_latency_us: Option<Latency>,
    /// What the stores say was taken, warm-up included.
    pub books: Option<Books>,
    /// What happened in each second.
    pub timeline: Vec<Tick>,
    /// Latency of what was answered 2xx, by what was done.
    pub distribution: Vec<(String, Vec<Point>)>,
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

    /// What each program used, all its processes together, in microseconds for each committed checkout.
    pub fn programs(&self) -> Vec<(String, f64)> {
        let programs = self.by_program().into_iter();
        programs.map(|(program, (_, us))| (program.to_owned(), us)).collect()
    }

    /// Programs of which there is more than one process, with their number and sum.
    fn sums(&self) -> Vec<(String, f64)> {
        let several = self.by_program().into_iter().filter(|(_, (count, _))| *count > 1);
        several.map(|(program, (count, us))| (format!("all {count} {program}"), us)).collect()
    }

    fn by_program(&self) -> BTreeMap<&str, (u32, f64)> {
        let mut programs = BTreeMap::<&str, (u32, f64)>::new();
        for process in &self.processes {
            let program = process.name.split(' ').next().unwrap_or_default();
            let sum = programs.entry(program).or_default();
            sum.0 += 1;
            sum.1 += process.us_per_committed;
        }
        programs
    }
}

impl Report {
    /// Puts the figures together.
    #[expect(clippy::too_many_arguments, reason = "each is a part of the report")]
    pub fn new(
        made: Made,
        workload: Workload,
        run: Run,
        settled: Settled,
        cpu: Option<Cpu>,
        generator: Option<Generator>,
        books: Option<Books>,
        mut notes: Vec<String>,
    ) -> Self {
        let Run { answers, took, ticks, cut_short, unsent } = run;
        let (seconds, counts) = (took.as_secs_f64(), answers.counts());
        notes.extend(cut_short.map(str::to_owned));
        if !settled.seen && cpu.is_some() {
            notes.push("it was not seen to settle: CPU time of settling may be missing".to_owned());
        }
        if generator.as_ref().is_some_and(|generator| generator.busy > GENERATOR_BUSY) {
            notes.push("the generator was busy nearly all the time: it may be what sets the rate".to_owned());
        }
        if cpu.is_some() && counts.all() > counts.committed {
            notes.push("CPU time includes that of the answers that were not committed checkouts".to_owned());
        }
        if unsent > 0 {
            notes.push(format!(
                "{unsent} requests were due and never sent: all {} connections were busy",
                workload.clients
            ));
        }
        let a_second = |count: u64| if seconds > 0.0 { count as f64 / seconds } else { 0.0 };
        Self {
            made,
            workload,
            cores: std::thread::available_parallelism().map_or(0, usize::from),
            seconds,
            committed: counts.committed,
            committed_per_s: a_second(counts.committed),
            latency_us: answers.latency(What::Committed),
            already_paid: counts.already_paid,
            requests: counts.all(),
            requests_per_s: a_second(counts.all()),
            done_within_100_ms: answers.done_within_100_ms(),
            unsent,
            counts,
            calls: answers.calls(),
            cpu,
            generator_us_per_answer: generator.as_ref().map(|generator| generator.us_per_answer),
            generator,
            settled,
            answers: answers.others(),
            refusal_latency_us: answers.refusal_latency(),
            books,
            timeline: ticks,
            distribution: answers.distribution(),
            notes,
        }
    }

    /// Whether the figures mean anything.
    ///
    /// # Errors
    /// Nothing was done, or the stores do not agree with the answers.
    pub fn verdict(&self) -> Result<(), String> {
        if self.counts.done() == 0 {
            return Err("not one request was answered 2xx".to_owned());
        }
        let checkouts = self.asked(&CHECKOUTS);
        if self.committed == 0 && (self.workload.mix == "checkout=1" || checkouts > 0 && self.already_paid == 0) {
            return Err("not one checkout was committed".to_owned());
        }
        if let Some(why) = self.ran_out() {
            return Err(why);
        }
        if self.books.as_ref().is_some_and(|books| !books.balanced) {
            return Err("what was taken and what was answered do not agree".to_owned());
        }
        Ok(())
    }
}

impl Report {
    /// Answers to these, 2xx or not.
    fn asked(&self, calls: &[What]) -> u64 {
        let of = self.calls.iter().filter(|call| calls.iter().any(|what| what.name() == call.what));
        of.map(|call| call.done + call.not_done).sum()
    }

    /// Says so where most of what would have taken stock or credit was refused because there was none left: then the
    /// figures are those of a shop that has sold out.
    fn ran_out(&self) -> Option<String> {
        let all = self.asked(&CHECKOUTS) + self.asked(&[What::Call(Call::Subtract), What::Call(Call::Pay)]);
        let refused =
            |answer: &str| self.answers.iter().filter(|kind| kind.answer == answer).map(|kind| kind.count).sum::<u64>();
        let credit = if self.workload.drained == 0 { refused("402 insufficient_credit") } else { 0 };
        let (what, count) = match (refused("409 insufficient_stock"), credit) {
            (stock, credit) if stock >= credit => ("stock", stock),
            (_, credit) => ("credit", credit),
        };
        (count * 2 > all).then(|| {
            format!(
                "{} of the calls that take something were refused because the shop ran out of {what} ({count} of {all}), so these are figures of a shop that has sold out; all answers: {}",
                percent(count, all),
                self.shares()
            )
        })
    }

    /// Of all answers, which part was what.
    fn shares(&self) -> String {
        let Counts { refused, turned_away, failed, .. } = self.counts;
        let share = |count| percent(count, self.requests);
        format!(
            "2xx {}, refused (4xx) {}, turned away (429) {}, failed {}",
            share(self.counts.done()),
            share(refused),
            share(turned_away),
            share(failed)
        )
    }
}

fn us_each(seconds: f64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { seconds * 1e6 / count as f64 }
}

/// How long filling took.
#[derive(Debug, Serialize)]
pub struct LoadReport {
    /// When, on what, by which program and command.
    pub made: Made,
    /// Where the shop is.
    pub url: String,
    /// One entry for each kind of record, in the order they were loaded.
    pub calls: Vec<Loading>,
    /// All of them, in seconds.
    pub seconds: f64,
}

impl Display for LoadReport {
    fn fmt(&self, out: &mut Formatter<'_>) -> Written {
        writeln!(out, "load, {}\n{}\n`{}`\n", self.url, self.made, self.made.command)?;
        for call in &self.calls {
            writeln!(out, "  {:<8}{:>12}{:>12.3} s", call.what, call.count, call.seconds)?;
        }
        let count: u64 = self.calls.iter().map(|call| call.count).sum();
        writeln!(out, "  {:<8}{:>12}{:>12.3} s", "total", count, self.seconds)
    }
}

impl Display for Report {
    fn fmt(&self, out: &mut Formatter<'_>) -> Written {
        let Workload { url, pace, mix, clients, warm_up, items, users, orders, lines, price, .. } = &self.workload;
        let plural = if *clients == 1 { "" } else { "s" };
        writeln!(out, "{mix}, {clients} client{plural}, {pace}, {url}, {} cores", self.cores)?;
        writeln!(
            out,
            "{orders} orders of {lines} of {items} items by {users} users, price {price}; {warm_up} requests to warm up"
        )?;
        writeln!(out, "{}\n`{}`\n", self.made, self.made.command)?;

        writeln!(out, "  {:<34}{:>12}", "committed", self.committed)?;
        writeln!(out, "  {:<34}{:>12.3}", "seconds", self.seconds)?;
        writeln!(out, "  {:<34}{:>12.0}", "committed/s", self.committed_per_s)?;
        if self.already_paid > 0 {
            writeln!(out, "  {:<34}{:>12}", "answered again: already paid", self.already_paid)?;
        }
        if self.requests > self.committed {
            writeln!(out, "  {:<34}{:>12}", "requests of any kind", self.requests)?;
            writeln!(out, "  {:<34}{:>12.0}", "requests/s", self.requests_per_s)?;
        }
        if self.unsent > 0 {
            writeln!(out, "  {:<34}{:>12}", "due and never sent", self.unsent)?;
        }
        if let Some(Latency { min, p50, p90, p99, p999, max }) = &self.latency_us {
            writeln!(out, "\n  latency of committed, µs")?;
            for (name, us) in [("min", min), ("p50", p50), ("p90", p90), ("p99", p99), ("p99.9", p999), ("max", max)] {
                writeln!(out, "    {name:<32}{us:>12.0}")?;
            }
        }
        if self.calls.iter().any(|call| call.what != What::Committed.name()) {
            write_calls(out, &self.calls)?;
        }
        if let Some(cpu) = &self.cpu {
            write_cpu(out, cpu)?;
        }
        if !self.answers.is_empty() {
            writeln!(out, "\n  answers: {}", self.shares())?;
        }
        for Kind { answer, count, first } in &self.answers {
            let share = percent(*count, self.requests);
            writeln!(out, "    {answer:<32}{count:>12}{share:>9}  first: {first}")?;
        }

        writeln!(out)?;
        if let Some(Generator { us_per_answer, busy, resident_bytes, .. }) = &self.generator {
            let (percent, megabytes) = (busy * 100.0, *resident_bytes as f64 / 1e6);
            writeln!(
                out,
                "  generator's own CPU: {us_per_answer:.1} µs an answer, {percent:.0} % of a core, in none of the above; {megabytes:.0} MB"
            )?;
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

fn write_calls(out: &mut Formatter<'_>, calls: &[CallReport]) -> Written {
    writeln!(
        out,
        "\n  {:<26}{:>10}{:>10}{:>10}{:>10}{:>14}{:>10}",
        "by call, latency in µs", "2xx", "p50", "p99", "max", "2xx in 0.1 s", "not 2xx"
    )?;
    for CallReport { what, done, latency_us, done_within_100_ms, not_done, .. } in calls {
        let us = |of: fn(&Latency) -> f64| latency_us.as_ref().map_or(0.0, of);
        let (p50, p99, max) = (us(|latency| latency.p50), us(|latency| latency.p99), us(|latency| latency.max));
        let within = done_within_100_ms * 100.0;
        writeln!(out, "    {what:<24}{done:>10}{p50:>10.0}{p99:>10.0}{max:>10.0}{within:>12.1} %{not_done:>10}")?;
    }
    Ok(())
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
