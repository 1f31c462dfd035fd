//! CPU time of processes, user and system, read before and after a measurement (Linux).
//!
//! Of each process the CPU clock is read (`clock_getcpuclockid`): nanoseconds, all threads, those that have ended too.
//! `/proc/<pid>/task/*/schedstat` would be as fine but forgets ended threads; `/proc/<pid>/stat` forgets nothing but counts
//! in ticks of 10 ms: it serves where the clock is refused, for the user/system split, and for children that a process has
//! waited for (a Redis that rewrites its log forks one).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Linux reports CPU time to user space in hundredths of a second on every platform it is used on today (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// Which processes are measured.
#[derive(Debug, Clone, Default)]
pub struct Watched {
    /// These and nothing else.
    pub alone: Vec<u32>,
    /// These and all that descend from them.
    pub trees: Vec<u32>,
}

/// A process, told apart from a later one that got the same number by its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Process {
    pid: u32,
    /// In ticks since boot.
    started: u64,
}

/// What one process, with the ended children it waited for, has used since it began.
#[derive(Debug, Clone)]
struct Used {
    name: String,
    parent: u32,
    cpu: Duration,
    user_ticks: u64,
    system_ticks: u64,
}

/// What all watched processes had used at one moment.
#[derive(Debug, Clone)]
pub struct Reading {
    processes: BTreeMap<Process, Used>,
    /// Whether every process's CPU clock could be read.
    fine: bool,
}

/// What one process used between two readings.
#[derive(Debug, Clone, PartialEq)]
pub struct Spent {
    /// The process id.
    pub pid: u32,
    /// The program, for Redis with what tells it from others (its socket's directory, or its address).
    pub name: String,
    /// User and system time together, in seconds.
    pub seconds: f64,
    /// The part of it that is system time, 0 to 1; counted in ticks, so rough over a short time.
    pub system_share: f64,
}

impl Watched {
    /// Whether no process was named.
    pub fn is_empty(&self) -> bool {
        self.alone.is_empty() && self.trees.is_empty()
    }

    /// Reads what each watched process has used so far.
    ///
    /// # Errors
    /// A named process does not exist, or `/proc` cannot be read.
    pub fn read(&self) -> Result<Reading, String> {
        let stats = all_stats()?;
        let mut pids: BTreeSet<u32> = self.alone.iter().chain(&self.trees).copied().collect();
        if let Some(missing) = pids.iter().find(|pid| !stats.contains_key(pid)) {
            return Err(format!("there is no process {missing}"));
        }
        let mut parents = self.trees.clone();
        while let Some(parent) = parents.pop() {
            let children = stats.iter().filter(|(_, stat)| stat.parent == parent).map(|(pid, _)| *pid);
            parents.extend(children.filter(|child| pids.insert(*child)));
        }

        let mut reading = Reading { processes: BTreeMap::new(), fine: true };
        for pid in pids {
            let stat = &stats[&pid];
            let own = match cpu_clock(pid) {
                Some(own) => own,
                None => {
                    reading.fine = false;
                    ticks(stat.user + stat.system)
                }
            };
            let used = Used {
                name: label(&stat.name, &command_line(pid)),
                parent: stat.parent,
                cpu: own + ticks(stat.waited_user + stat.waited_system),
                user_ticks: stat.user + stat.waited_user,
                system_ticks: stat.system + stat.waited_system,
            };
            reading.processes.insert(Process { pid, started: stat.started }, used);
        }
        Ok(reading)
    }
}

impl Reading {
    /// How many processes were read.
    pub fn processes(&self) -> usize {
        self.processes.len()
    }

    /// What all of them together have used.
    pub fn total(&self) -> Duration {
        self.processes.values().map(|used| used.cpu).sum()
    }

    /// Where the figures come from, for the report.
    pub fn source(&self) -> &'static str {
        if self.fine { "CPU clock of each process, ns" } else { "/proc/<pid>/stat, ticks of 10 ms" }
    }

    /// What each process has used since an earlier reading, and the pids of those whose use is lost because they
    /// ended and no watched process waited for them.
    ///
    /// What an ended child used counts for its parent: the parent's figure grew by all of it when it was waited for,
    /// so what the child had used at the earlier reading is taken off again.
    pub fn since(&self, before: &Reading) -> (Vec<Spent>, Vec<u32>) {
        let mut counted_before: BTreeMap<Process, (Duration, u64, u64)> = BTreeMap::new();
        let mut lost = Vec::new();
        for (process, used) in &before.processes {
            match self.heir(*process, before) {
                Some(heir) => {
                    let sum = counted_before.entry(heir).or_default();
                    sum.0 += used.cpu;
                    sum.1 += used.user_ticks;
                    sum.2 += used.system_ticks;
                }
                None => lost.push(process.pid),
            }
        }
        let spent = self.processes.iter().map(|(process, used)| {
            let (cpu, user, system) = counted_before.get(process).copied().unwrap_or_default();
            let user = used.user_ticks.saturating_sub(user) as f64;
            let system = used.system_ticks.saturating_sub(system) as f64;
            Spent {
                pid: process.pid,
                name: used.name.clone(),
                seconds: used.cpu.as_secs_f64() - cpu.as_secs_f64(),
                system_share: if user + system > 0.0 { system / (user + system) } else { 0.0 },
            }
        });
        (spent.collect(), lost)
    }

    /// The process itself if it still runs, or else its nearest ancestor that does.
    fn heir(&self, mut process: Process, before: &Reading) -> Option<Process> {
        while !self.processes.contains_key(&process) {
            let parent = before.processes.get(&process)?.parent;
            process = *before.processes.keys().find(|candidate| candidate.pid == parent)?;
        }
        Some(process)
    }
}

/// CPU time that this process has used so far; `None` where it is not known.
pub fn own() -> Option<Duration> {
    cpu_clock(std::process::id())
}

#[cfg(target_os = "linux")]
fn cpu_clock(pid: u32) -> Option<Duration> {
    let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).ok()?);
    nix::time::ClockId::pid_cpu_clock_id(pid).ok()?.now().ok().map(Duration::from)
}

#[cfg(not(target_os = "linux"))]
fn cpu_clock(_pid: u32) -> Option<Duration> {
    None
}

fn ticks(count: u64) -> Duration {
    TICK.saturating_mul(u32::try_from(count).unwrap_or(u32::MAX))
}

/// The fields of `/proc/<pid>/stat` that matter here; times in ticks.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Stat {
    name: String,
    parent: u32,
    user: u64,
    system: u64,
    waited_user: u64,
    waited_system: u64,
    started: u64,
}

impl Stat {
    /// The name stands in brackets and may hold spaces and brackets itself: what follows the last one is fields.
    fn parse(line: &str) -> Option<Self> {
        let (before, after) = line.rsplit_once(')')?;
        let (_, name) = before.split_once('(')?;
        // proc(5) counts from 1 and the name is its field 2: `fields[0]` is field 3.
        let fields: Vec<&str> = after.split_whitespace().collect();
        let number = |field: usize| fields.get(field - 3)?.parse::<u64>().ok();
        // Waited-for times are signed there, but are never negative.
        Some(Self {
            name: name.to_owned(),
            parent: u32::try_from(number(4)?).ok()?,
            user: number(14)?,
            system: number(15)?,
            waited_user: number(16)?,
            waited_system: number(17)?,
            started: number(22)?,
        })
    }
}

/// Every process there is. One that ends meanwhile is left out.
fn all_stats() -> Result<BTreeMap<u32, Stat>, String> {
    let listing = std::fs::read_dir("/proc").map_err(|error| format!("could not list /proc: {error}"))?;
    let pids = listing.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    let stats = pids.filter_map(|pid| {
        let line = std::fs::read(format!("/proc/{pid}/stat")).ok()?;
        Some((pid, Stat::parse(&String::from_utf8_lossy(&line))?))
    });
    Ok(stats.collect())
}

fn command_line(pid: u32) -> String {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ")
}

/// A name that tells the Redis servers apart: Redis writes where it listens into its command line.
fn label(name: &str, command_line: &str) -> String {
    if !name.starts_with("redis") && !name.starts_with("valkey") {
        return name.to_owned();
    }
    let mut words = command_line.split_whitespace();
    let address = words.nth(1).unwrap_or_default();
    let place = match address.strip_prefix("unixsocket:") {
        Some(socket) => socket.rsplit('/').nth(1).unwrap_or(socket),
        None => address,
    };
    format!("{name} {place}").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_spaces_and_brackets_does_not_shift_the_fields() {
        let line = "5822 (a) S 1 (b) S 4711 5775 4762 0 -1 4194304 1932 0 0 0 19 7 3 2 20 0 1 0 105292 92467200 3347";
        let stat = Stat::parse(line).unwrap();
        assert_eq!(
            stat,
            Stat {
                name: "a) S 1 (b".to_owned(),
                parent: 4711,
                user: 19,
                system: 7,
                waited_user: 3,
                waited_system: 2,
                started: 105_292,
            }
        );
    }

    #[test]
    fn a_line_that_is_cut_short_is_no_process() {
        assert_eq!(Stat::parse("5822 (shop) S 4711 5775"), None);
        assert_eq!(Stat::parse(""), None);
    }

    #[test]
    fn redis_servers_are_told_apart() {
        assert_eq!(label("shop", "shop --port 8000"), "shop");
        assert_eq!(label("redis-server", "redis-server 127.0.0.1:6379"), "redis-server 127.0.0.1:6379");
        assert_eq!(label("redis-server", "/bin/redis-server unixsocket:/d/order-0/redis.sock"), "redis-server order-0");
        assert_eq!(label("redis-server", ""), "redis-server");
    }

    fn reading(processes: &[(u32, u32, u64)]) -> Reading {
        let used = |parent, ms| Used {
            name: "x".to_owned(),
            parent,
            cpu: Duration::from_millis(ms),
            user_ticks: ms / 10,
            system_ticks: 0,
        };
        let entries = processes.iter().map(|&(pid, parent, ms)| (Process { pid, started: 1 }, used(parent, ms)));
        Reading { processes: entries.collect(), fine: true }
    }

    #[test]
    fn an_ended_child_counts_once_and_for_its_parent() {
        // 12, a child of 11, had used 300 ms, used 50 more, ended, and 11 waited for it.
        let before = reading(&[(10, 1, 1000), (11, 10, 500), (12, 11, 300)]);
        let after = reading(&[(10, 1, 1100), (11, 10, 500 + 20 + 350)]);
        let (spent, lost) = after.since(&before);
        let ms: Vec<_> = spent.iter().map(|spent| (spent.pid, (spent.seconds * 1000.0).round() as i64)).collect();
        assert_eq!(ms, [(10, 100), (11, 70)]);
        assert!(lost.is_empty());
    }

    #[test]
    fn a_new_process_counts_whole_and_a_lost_one_is_named() {
        let (spent, lost) = reading(&[(20, 1, 40)]).since(&reading(&[(10, 1, 1000)]));
        assert_eq!((spent[0].pid, spent[0].seconds), (20, 0.04));
        assert_eq!(lost, [10]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_tree_is_read_with_its_children_and_ended_threads() {
        let mut child = std::process::Command::new("sleep").arg("5").spawn().unwrap();
        let watched = Watched { trees: vec![std::process::id()], ..Watched::default() };
        let before = watched.read().unwrap();
        let busy = std::thread::spawn(|| {
            let begun = std::time::Instant::now();
            while begun.elapsed() < Duration::from_millis(50) {}
        });
        busy.join().unwrap();
        let after = watched.read().unwrap();
        child.kill().unwrap();
        child.wait().unwrap();

        let (spent, _) = after.since(&before);
        assert!(spent.iter().any(|spent| spent.pid == child.id() && spent.name == "sleep"), "{spent:?}");
        let own = spent.iter().find(|spent| spent.pid == std::process::id()).unwrap();
        assert!(own.seconds > 0.01, "{own:?}");
        assert!(Watched { alone: vec![child.id()], ..Watched::default() }.read().is_err());
    }
}
