//! One measurement: warm-up, quiet, the run itself, settling, and what all of it cost.

use std::rc::Rc;
use std::time::Duration;

use crate::load::books::Books;
use crate::load::drive::{self, Plan, Run};
use crate::load::fill::{Fill, Goods};
use crate::load::orders::Orders;
use crate::load::pace::Pace;
use crate::measure::cpu::{self, Watched};
use crate::measure::settle::{self, OrderShards, Settled};
use crate::report::made::Made;
use crate::report::outcome::{Cpu, Generator, Report, Workload};
use crate::shop::control::Control;
use crate::shop::front::Front;
use crate::waiting::during;

/// Longest wait for idle processes before the measurement: what loading left to do is not its cost.
const QUIET_WAIT: Duration = Duration::from_secs(10);

/// What is measured, and how to look at it.
pub struct Measurement {
    /// The run before, which is not counted.
    pub warm_up: Option<Plan>,
    /// The run that is counted.
    pub plan: Plan,
    /// What the shop was filled with.
    pub fill: Fill,
    /// Its ids.
    pub goods: Rc<Goods>,
    /// Processes whose CPU time is measured.
    pub watched: Option<Watched>,
    /// Where it can be seen that nothing is in flight.
    pub shards: Option<OrderShards>,
    /// Credit that was taken from users after filling.
    pub drained: u64,
    /// Whether to add up afterwards what was taken.
    pub check_books: bool,
}

impl Measurement {
    /// Measures, with each of `fronts` as a client.
    ///
    /// # Errors
    /// There is nothing to report: the shop stopped answering, or a watched process is gone.
    pub async fn take(
        mut self,
        fronts: Vec<Front>,
        control: &Control,
        mut notes: Vec<String>,
    ) -> Result<Report, String> {
        let made = Made::now();
        let orders = Rc::new(Orders::new(self.goods.orders.len()));
        let watched = self.watched.as_ref();
        let clients = fronts.len();
        let (fronts, warm) = match &self.warm_up {
            None => (fronts, None),
            Some(plan) => {
                let (fronts, warm) = drive::run(plan, fronts, &self.goods, &orders, None).await?;
                (fronts, Some(warm.answers))
            }
        };
        during("waiting until all is quiet", settled(&mut self.shards, watched, QUIET_WAIT)).await?;
        if let Some(watched) = watched {
            during("waiting until all is quiet", settle::idle(watched, QUIET_WAIT)).await?;
        }

        let before = watched.map(Watched::read).transpose()?;
        let own_before = cpu::own();
        let (fronts, run) = drive::run(&self.plan, fronts, &self.goods, &orders, watched).await?;
        let own_after = cpu::own();
        let settling = settled(&mut self.shards, watched, settle::IDLE_WAIT);
        let settled = during("waiting until all is settled", settling).await?;
        let after = watched.map(Watched::read).transpose()?;
        let resident = cpu::resident(std::process::id());
        drop(fronts);

        let counts = run.answers.counts();
        let warm_committed = warm.as_ref().map_or(0, |warm| warm.counts().committed);
        let books = if self.check_books && self.plan.mix.keeps_sums() {
            let unknown = run.answers.unknown_checkouts() + warm.as_ref().map_or(0, |warm| warm.unknown_checkouts());
            let committed = counts.committed + warm_committed;
            let books = Books::check(&self.fill, &self.goods, control, committed, unknown, self.drained);
            let books = during("adding up what was taken", books).await?;
            if books.is_none() {
                notes.push("too many items and users to add up what was taken".to_owned());
            }
            books
        } else {
            notes.push("what was taken is not added up: see `benchmark consistency`".to_owned());
            None
        };
        let cpu = before.zip(after).map(|(before, after)| Cpu::between(&before, &after, counts.committed, &mut notes));
        let generator = own_before.zip(own_after).map(|(before, after)| {
            Generator::of(after.saturating_sub(before), resident.unwrap_or_default(), run.took, counts.all())
        });
        let workload = self.workload(control, clients, &run, warm.map_or(0, |warm| warm.counts().all()));
        Ok(Report::new(made, workload, run, settled, cpu, generator, books, notes))
    }

    fn workload(&self, control: &Control, clients: usize, run: &Run, warm_up: u64) -> Workload {
        let counts = run.answers.counts();
        let pace = match &self.plan.pace {
            Pace::Closed { think, .. } if think.is_zero() => "closed loop".to_owned(),
            Pace::Closed { think, .. } => format!("closed loop, {} ms between calls", think.as_millis()),
            Pace::Open(schedule) => format!("open loop, {} requests/s", schedule.rate),
        };
        Workload {
            url: control.places().to_string(),
            pace,
            mix: self.plan.mix.to_string(),
            clients,
            checkouts: counts.all() - counts.other_done,
            warm_up,
            items: self.fill.items,
            users: self.fill.users,
            orders: self.goods.orders.len(),
            lines: self.fill.lines,
            price: self.fill.price,
            drained: self.drained,
        }
    }
}

/// Looks whether the named processes can be measured.
///
/// # Errors
/// One of them does not exist.
pub fn watched(watched: &Watched, notes: &mut Vec<String>) -> Result<Option<Watched>, String> {
    if watched.is_empty() {
        notes.push("no CPU time: name processes with --process-tree, --pids or --cgroup".to_owned());
        return Ok(None);
    }
    if !cfg!(target_os = "linux") {
        notes.push("no CPU time: it is read on Linux only".to_owned());
        return Ok(None);
    }
    watched.read()?;
    Ok(Some(watched.clone()))
}

async fn settled(
    shards: &mut Option<OrderShards>,
    watched: Option<&Watched>,
    idle_wait: Duration,
) -> Result<Settled, String> {
    match (shards, watched) {
        (Some(shards), _) => shards.settle().await,
        (None, Some(watched)) => settle::idle(watched, idle_wait).await,
        (None, None) => Ok(settle::blind().await),
    }
}
