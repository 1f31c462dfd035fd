//! CPU time of processes, user and system, read before and after a measurement (Linux).
//!
//! Of each process the CPU clock is read (`clock_getcpuclockid`): nanoseconds, all threads, those that have ended too.
//! `/proc/<pid>/task/*/schedstat` would be as fine but forgets ended threads; `/proc/<pid>/stat` forgets nothing but counts
//! in ticks of 10 ms: it serves where the clock is refused, for the user/system split, and for children that a process has
//! waited for (a Redis that rewrites its log forks one).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Linux reports CPU time to user space in hundredths of a second on every platform it is used on today (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// Which processes are measured, on the command line.
#[derive(Debug, Clone, Default, clap::Args)]
pub struct Watched {
    /// Processes whose CPU time is measured
    #[arg(long = "pids", value_delimiter = ',', value_name = "PID,…")]
    pub alone: Vec<u32>,
    /// Processes whose CPU time is measured together with that of all their descendants
    #[arg(long = "process-tree", value_delimiter = ',', value_name = "PID,…")]
    pub trees: Vec<u32>,
    /// Directories of control groups (a container's, under /sys/fs/cgroup) whose CPU time is measured
    #[arg(long = "cgroup", value_delimiter = ',', value_name = "DIRECTORY,…")]
    pub cgroups: Vec<PathBuf>,
}

/// What one control group has used since it was made.
#[derive(Debug, Clone, PartialEq)]
struct Group {
    name: String,
    cpu: Duration,
    user: Duration,
    system: Duration,
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
    groups: BTreeMap<PathBuf, Group>,
    /// Whether every process's CPU clock could be read.
    fine: bool,
}

/// What one process used between two readings.
#[derive(Debug, Clone, PartialEq)]
pub struct Spent {
    /// The process id; of a control group 0.
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
        self.alone.is_empty() && self.trees.is_empty() && self.cgroups.is_empty()
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

        let mut reading = Reading { processes: BTreeMap::new(), groups: BTreeMap::new(), fine: true };
        for directory in &self.cgroups {
            reading.groups.insert(directory.clone(), Group::read(directory)?);
        }
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
        self.processes.len() + self.groups.len()
    }

    /// Their names by process id.
    pub fn names(&self) -> impl Iterator<Item = (u32, &str)> {
        self.processes.iter().map(|(process, used)| (process.pid, used.name.as_str()))
    }

    /// What all of them together have used.
    pub fn total(&self) -> Duration {
        let processes = self.processes.values().map(|used| used.cpu);
        processes.chain(self.groups.values().map(|group| group.cpu)).sum()
    }

    /// Where the figures come from, for the report.
    pub fn source(&self) -> &'static str {
        match (self.processes.is_empty(), self.fine) {
            (true, _) => "cpu.stat of each control group",
            (false, true) => "CPU clock of each process, ns",
            (false, false) => "/proc/<pid>/stat, ticks of 10 ms",
        }
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
        let groups = self.groups.iter().filter_map(|(directory, group)| {
            let before = before.groups.get(directory)?;
            let used = |now: Duration, then: Duration| now.saturating_sub(then).as_secs_f64();
            let (user, system) = (used(group.user, before.user), used(group.system, before.system));
            Some(Spent {
                pid: 0,
                name: group.name.clone(),
                seconds: used(group.cpu, before.cpu),
                system_share: if user + system > 0.0 { system / (user + system) } else { 0.0 },
            })
        });
        (spent.chain(groups).collect(), lost)
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

impl Group {
    /// `cpu.stat` of cgroup v2: lines of a name and a number of microseconds.
    fn read(directory: &Path) -> Result<Self, String> {
        let file = directory.join("cpu.stat");
        let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let name = directory.file_name().unwrap_or(directory.as_os_str()).to_string_lossy();
        Self::parse(&name, &text).ok_or_else(|| format!("{} has no usage_usec: it is not of cgroup v2", file.display()))
    }

    fn parse(name: &str, text: &str) -> Option<Self> {
        let field = |wanted: &str| {
            let mut lines = text.lines().filter_map(|line| line.split_once(' '));
            let (_, us) = lines.find(|(field, _)| *field == wanted)?;
            Some(Duration::from_micros(us.trim().parse().ok()?))
        };
        let (cpu, user, system) = (field("usage_usec")?, field("user_usec")?, field("system_usec")?);
        Some(Self { name: name.to_owned(), cpu, user, system })
    }
}

/// How much memory a process has resident, in bytes; `None` where it is not known.
pub fn resident(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<u64>().ok()? * 1024)
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
    use nix::sys::signal::Signal;
    use shardcart_harness::processes::child::Child;

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
        Reading { processes: entries.collect(), groups: BTreeMap::new(), fine: true }
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

    #[test]
    fn a_control_group_counts_from_reading_to_reading() {
        let directory = tempfile::tempdir().unwrap();
        let watched = Watched { cgroups: vec![directory.path().to_owned()], ..Watched::default() };
        let used = |total, user| {
            let text = format!("usage_usec {total}\nuser_usec {user}\nsystem_usec {}\nnr_periods 0\n", total - user);
            std::fs::write(directory.path().join("cpu.stat"), text).unwrap();
            watched.read().unwrap()
        };
        let (before, after) = (used(5_000_000, 4_000_000), used(7_000_000, 5_500_000));
        let (spent, _) = after.since(&before);
        assert_eq!((spent.len(), spent[0].seconds, spent[0].system_share), (1, 2.0, 0.25));
        assert!(Group::parse("v1", "nr_periods 0").is_none());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_tree_is_read_with_its_children_and_ended_threads() {
        let mut command = std::process::Command::new("sleep");
        command.arg("5");
        let mut child = Child::start(command, Signal::SIGKILL);
        let watched = Watched { trees: vec![std::process::id()], ..Watched::default() };
        let before = watched.read().unwrap();
        let busy = std::thread::spawn(|| {
            // Of its own CPU time: on a busy machine little of it may pass in a while.
            let used = || Duration::from(nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID.now().unwrap());
            while used() < Duration::from_millis(100) {}
        });
        busy.join().unwrap();
        let after = watched.read().unwrap();
        child.kill();

        let (spent, _) = after.since(&before);
        assert!(spent.iter().any(|spent| spent.pid == child.id() && spent.name == "sleep"), "{spent:?}");
        let own = spent.iter().find(|spent| spent.pid == std::process::id()).unwrap();
        assert!(own.seconds > 0.01, "{own:?}");
        assert!(Watched { alone: vec![child.id()], ..Watched::default() }.read().is_err());
    }
}
