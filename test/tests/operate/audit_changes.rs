//! Every part of every kind of record, changed one at a time: the audit notices each change, but for those of which
//! nothing else in the data says that they are not true.
//!
//! Each change is planted in a small shop of its own (a cell), thousands of cells beside one another, so that one audit
//! tells of all. A finding belongs to the cell whose ids it names.

mod cell;
mod part;
mod unnoticed;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use cell::{Cell, Entry, Lies};
use redis::{cmd, pipe};
use serde_json::Value;
use shardcart_harness::ids::own_key;
use shardcart_harness::systems::shop::ShopOverRedis;
use shardcart_harness::{Data, Service, Settings};
use shardcart_test::auditor::Audit;
use unnoticed::{UNNOTICED, Unnoticed, is_listed};

/// Entries that are written in one pipeline.
const BATCH: usize = 5_000;

/// What was tried: kind, part, and what the new value is called.
type Tried = (&'static str, &'static str, &'static str);

/// What is done to one entry of a cell.
#[derive(Clone, Copy)]
enum Planted {
    /// Other bytes in one of its parts: one of all its single changes.
    Changed(usize),
    /// It lies elsewhere, or there as well: on this shard, under the tag of that one.
    Misplaced { server: usize, tag: usize, is_copy: bool },
}

/// Cells that were written, and what was changed in each of them.
#[derive(Default)]
struct World {
    tried: Vec<Tried>,
    cell_of: HashMap<String, usize>,
    halves: HashMap<(bool, String), Vec<usize>>,
    ids: Vec<Vec<String>>,
    writes: HashMap<(Service, usize), Vec<redis::Cmd>>,
}

impl World {
    /// Writes a cell with something planted in one of its entries.
    fn add(&mut self, cell: &Cell, planted: Option<(usize, Planted)>) {
        let number = self.ids.len();
        for id in &cell.ids {
            self.cell_of.insert(id.clone(), number);
            let (first, last) = id.split_at(id.len() - 7);
            self.halves.entry((false, first[first.len() - 5..].to_owned())).or_default().push(number);
            self.halves.entry((true, last.to_owned())).or_default().push(number);
        }
        self.ids.push(cell.ids.clone());
        self.tried.push(("", "", ""));
        for (place, entry) in cell.entries.iter().enumerate() {
            match planted {
                Some((at, planted)) if at == place => self.tried[number] = self.plant(entry, planted),
                _ => self.write(entry, entry.shard, entry.shard),
            }
        }
    }

    fn plant(&mut self, entry: &Entry, planted: Planted) -> Tried {
        match planted {
            Planted::Changed(turn) => {
                let mut changed = entry.clone();
                let all = part::changes(&entry.parts);
                let change = &all[turn.min(all.len() - 1)];
                changed.parts[change.part].bytes.clone_from(&change.bytes);
                // Redis takes no score that is no number.
                let is_score = matches!(entry.lies, Lies::SortedSet(split) if change.part >= split);
                if !is_score || change.class == "another number" {
                    self.write(&changed, entry.shard, entry.shard);
                }
                (entry.kind, entry.parts[change.part].region, change.class)
            }
            Planted::Misplaced { server, tag, is_copy } => {
                self.write(entry, server, tag);
                if is_copy {
                    self.write(entry, entry.shard, entry.shard);
                }
                let class = match (server == entry.shard, tag == entry.shard, is_copy) {
                    (false, false, false) => "on another shard",
                    (false, false, true) => "on another shard as well",
                    (false, _, _) => "on another server",
                    (true, _, _) => "under another shard's tag",
                };
                (entry.kind, "place", class)
            }
        }
    }

    fn write(&mut self, entry: &Entry, server: usize, tag: usize) {
        let write = entry.write(&entry.key(tag));
        self.writes.entry((entry.service, server)).or_default().push(write);
    }

    /// Sends everything to the shards, and gives the tombstones of this second the time that they have.
    async fn send(&mut self, data: &Data, second: u64) {
        for ((service, shard), writes) in self.writes.drain() {
            let mut connection = data.shard(service, shard).await;
            for batch in writes.chunks(BATCH) {
                let mut pipeline = pipe();
                for write in batch {
                    pipeline.add_command(write.clone()).ignore();
                }
                pipeline.exec_async(&mut connection).await.expect("a running Redis takes it");
            }
            let mut ends = cmd("PEXPIREAT");
            ends.arg(own_key(service, shard, &format!("ended:{second}"))).arg((second + 1) * 1_000 + 70_000);
            ends.exec_async(&mut connection).await.expect("a running Redis takes it");
        }
    }

    /// The cells of which a text speaks: those that have one of its ids, in which one character may be another.
    fn cells_in(&self, text: &str) -> HashSet<usize> {
        let is_part =
            |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | '-' | ',' | '`' | '\u{fffd}');
        let mut cells = HashSet::new();
        for word in text.split(|letter| !is_part(letter)) {
            if let Some(cell) = self.cell_of.get(word) {
                cells.insert(*cell);
                continue;
            }
            let letters: Vec<char> = word.chars().collect();
            if letters.len() < 35 {
                continue;
            }
            for window in letters.windows(letters.len().min(36)) {
                let text = |range: std::ops::Range<usize>| window[range].iter().collect::<String>();
                if window.len() < 36 {
                    continue;
                }
                let halves = [(false, text(24..29)), (true, text(29..36))];
                for cell in halves.iter().filter_map(|half| self.halves.get(half)).flatten() {
                    let is_close =
                        |id: &String| id.chars().zip(window).filter(|(one, other)| one != *other).count() <= 1;
                    if self.ids[*cell].iter().any(is_close) {
                        cells.insert(*cell);
                    }
                }
            }
        }
        cells
    }

    /// The cells that an audit speaks of.
    fn noticed(&self, audit: &Audit) -> HashSet<usize> {
        let report = audit.json();
        let all = report["disagreements"].as_array().expect("a list");
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        all.iter()
            .flat_map(|one| {
                self.cells_in(&format!("{} {} {}", text(&one["id"]), text(&one["found"]), text(&one["detail"])))
            })
            .collect()
    }
}

/// All that is planted in cells like this one, each with the place of the entry.
fn everything(cell: &Cell) -> Vec<(usize, Planted)> {
    let mut all = Vec::new();
    for (place, entry) in cell.entries.iter().enumerate() {
        all.extend((0..part::changes(&entry.parts).len()).map(|turn| (place, Planted::Changed(turn))));
        let (here, there) = (entry.shard, 1 - entry.shard);
        let mut places = vec![(there, there)];
        if matches!(entry.lies, Lies::Key | Lies::KeyForATime) {
            places.extend([(there, here), (here, there)]);
        }
        for (server, tag) in places {
            all.extend([false, true].map(|is_copy| (place, Planted::Misplaced { server, tag, is_copy })));
        }
    }
    all
}

/// How often each was tried, and how often it was noticed.
type Table = BTreeMap<Tried, (usize, usize)>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_single_change_is_noticed_but_for_those_that_are_listed() {
    let mut system = ShopOverRedis::start(2, &Settings::none()).await;
    system.shop().process().kill9();
    let data = system.data();
    let second = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later").as_secs() + 3_600;

    let mut world = World::default();
    for number in 0..10 {
        world.add(&Cell::minted(number, second), None);
        world.add(&Cell::loaded(number, second), None);
    }
    world.send(&data, second).await;
    Audit::of(&data).await.clean();

    let mut number = 10;
    for make in [Cell::minted, Cell::loaded] {
        for (place, planted) in everything(&make(0, second)) {
            world.add(&make(number, second), Some((place, planted)));
            number += 1;
        }
    }
    world.send(&data, second).await;
    let audit = Audit::of(&data).await;
    let noticed = world.noticed(&audit);

    let mut table = Table::new();
    for (cell, tried) in world.tried.iter().enumerate() {
        if tried.0.is_empty() {
            assert!(!noticed.contains(&cell), "nothing was changed in cell {cell}, and the audit speaks of it");
            continue;
        }
        let (count, seen) = table.entry(*tried).or_default();
        *count += 1;
        *seen += usize::from(noticed.contains(&cell));
    }
    println!("{}", shown(&table));
    judge(&table, |unnoticed| unnoticed.kinds != ["identity"]);
}

/// What is not listed must be noticed, and what is listed must not be; each that is listed must have been tried.
fn judge(table: &Table, is_meant: impl Fn(&Unnoticed) -> bool) {
    let mut wrong = String::new();
    for ((kind, region, class), (count, seen)) in table {
        let is_listed = is_listed(kind, region, class);
        if is_listed && *seen > 0 || !is_listed && seen < count {
            writeln!(wrong, "{kind}, {region}, {class}: {seen} of {count} noticed, listed: {is_listed}")
                .expect("memory");
        }
    }
    for unnoticed in UNNOTICED.iter().filter(|unnoticed| is_meant(unnoticed)) {
        if !table.keys().any(|(kind, region, class)| unnoticed.is(kind, region, class)) {
            writeln!(wrong, "nothing that was tried is {}", unnoticed.row()).expect("memory");
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_change_of_a_shards_identity_is_noticed_but_for_a_smaller_number_of_members() {
    let mut system = ShopOverRedis::start(2, &Settings::none()).await;
    system.shop().process().kill9();
    let data = system.data();
    let (key, mut shard) = (own_key(Service::Stock, 1, "identity"), data.shard(Service::Stock, 1).await);
    let mut table = Table::new();
    for (field, values) in [
        ("data_set", ["another", ""]),
        ("service", ["order", "stocks"]),
        ("shard", ["0", "x"]),
        ("tag", ["s0ei", ""]),
        ("founding", ["1", "3"]),
        ("schema", ["2", "4"]),
        ("currency", ["USD", ""]),
        ("members", ["3", "x"]),
        ("members", ["1", "0"]),
    ] {
        for value in values {
            let before: String = cmd("HGET").arg(&key).arg(field).query_async(&mut shard).await.expect("it has it");
            let set = async |value: &str, shard: &mut _| {
                cmd("HSET").arg(&key).arg(field).arg(value).exec_async(shard).await.expect("a running Redis takes it");
            };
            set(value, &mut shard).await;
            let audit = Audit::of(&data).await;
            set(&before, &mut shard).await;
            let class =
                if matches!((field, value), ("members", "0" | "1")) { "a smaller number" } else { "another text" };
            let (count, seen) = table.entry(("identity", field, class)).or_default();
            *count += 1;
            *seen += usize::from(audit.code != 0);
        }
    }
    Audit::of(&data).await.clean();
    println!("{}", shown(&table));
    judge(&table, |unnoticed| unnoticed.kinds == ["identity"]);
}

#[test]
fn what_cannot_be_noticed_is_in_the_documents() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = fs::read_to_string(root.join("docs/operate/audit.md")).expect("the document is there");
    let begins = text.find("| what | part | new value | why |").expect("the document has the table");
    let table = text[begins..].lines().skip(2).take_while(|line| line.starts_with('|')).collect::<Vec<_>>();
    let rows: Vec<String> = UNNOTICED.iter().map(Unnoticed::row).collect();
    assert_eq!(table, rows, "\n{}", rows.join("\n"));
}

/// The table by kind and part, as documents have it.
fn shown(table: &Table) -> String {
    let mut rows: BTreeMap<(&str, &str), (usize, usize)> = BTreeMap::new();
    for ((kind, region, _), (count, seen)) in table {
        let row = rows.entry((kind, region)).or_default();
        *row = (row.0 + count, row.1 + seen);
    }
    let mut text = String::from("| what | part | tried | unnoticed |\n|---|---|---|---|\n");
    let (mut tried, mut unnoticed) = (0, 0);
    for ((kind, region), (count, seen)) in rows {
        writeln!(text, "| {kind} | {region} | {count} | {} |", count - seen).expect("memory");
        (tried, unnoticed) = (tried + count, unnoticed + count - seen);
    }
    writeln!(text, "| all | | {tried} | {unnoticed} |").expect("memory");
    text
}
