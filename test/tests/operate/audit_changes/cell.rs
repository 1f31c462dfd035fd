//! A small shop of its own in the bytes of Redis, written by hand: every kind of record, and all of it adds up. Its ids
//! are like no other cell's, so that a finding says of which cell it speaks.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::LazyLock;

use redis::{Cmd, cmd};
use shardcart_harness::{Service, ids};

use super::part::{Form, Part};

/// When all ids were minted, Unix ms; attempts were begun later.
const BASE_MS: u64 = 1_790_000_000_000;

/// The tags of two shards a service: each takes work to find.
static TAGS: LazyLock<Vec<[String; 2]>> =
    LazyLock::new(|| Service::ALL.iter().map(|of| [0, 1].map(|shard| ids::tag(*of, shard).to_string())).collect());

/// The tag of a shard.
fn tag(service: Service, shard: usize) -> &'static str {
    let place = Service::ALL.iter().position(|of| *of == service).expect("it is one of all");
    &TAGS[place][shard]
}

/// Where an entry lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lies {
    /// Under a key of its own.
    Key,
    /// The same, for a time.
    KeyForATime,
    /// In a hash: so many parts are the field's name.
    Hash(usize),
    /// In a sorted set: so many parts are the member.
    SortedSet(usize),
}

/// Something that lies in Redis.
#[derive(Debug, Clone)]
pub struct Entry {
    /// What it is.
    pub kind: &'static str,
    /// Whose it is.
    pub service: Service,
    /// On which shard of two.
    pub shard: usize,
    /// Its key, behind the tag.
    pub name: String,
    /// How it lies there.
    pub lies: Lies,
    /// What it consists of.
    pub parts: Vec<Part>,
}

impl Entry {
    /// The key, under the tag of this shard.
    pub fn key(&self, shard: usize) -> String {
        format!("{{{}}}:{}", tag(self.service, shard), self.name)
    }

    /// The command that writes it under a key.
    pub fn write(&self, key: &str) -> Cmd {
        let bytes = |parts: &[Part]| parts.iter().flat_map(|part| part.bytes.clone()).collect::<Vec<u8>>();
        let mut write;
        match self.lies {
            Lies::Key => {
                write = cmd("SET");
                write.arg(key).arg(bytes(&self.parts));
            }
            Lies::KeyForATime => {
                write = cmd("SET");
                write.arg(key).arg(bytes(&self.parts)).arg("PX").arg(80_000_000);
            }
            Lies::Hash(split) => {
                write = cmd("HSET");
                write.arg(key).arg(bytes(&self.parts[..split])).arg(bytes(&self.parts[split..]));
            }
            Lies::SortedSet(split) => {
                write = cmd("ZADD");
                write.arg(key).arg(bytes(&self.parts[split..])).arg(bytes(&self.parts[..split]));
            }
        }
        write
    }
}

/// A cell: what lies in Redis for it, and its ids.
pub struct Cell {
    /// Everything of it.
    pub entries: Vec<Entry>,
    /// All ids, in 36 characters each.
    pub ids: Vec<String>,
    number: u64,
    second: u64,
}

/// The fields of an order.
struct Order<'a> {
    kind: &'static str,
    cart: &'static str,
    id: &'a str,
    status: &'a str,
    tx: &'a str,
    user: &'a str,
    refusal: &'a str,
    incarnation: &'a str,
    item: &'a str,
    units: u64,
    sum: u64,
}

impl Cell {
    /// Of minted ids; tombstones are those of this second.
    pub fn minted(number: u64, second: u64) -> Cell {
        let mut cell = Cell { entries: Vec::new(), ids: Vec::new(), number, second };
        let (user, item) = (cell.id("user", 0, 0), cell.id("item", 1, 0));
        let [open, refused, pending, aborting, paid] =
            ["open", "refused", "pending", "aborting", "paid"].map(|role| cell.id(role, 0, 0));
        let tx = ["tx r", "tx p", "tx a", "tx d"].map(|role| cell.id(role, 0, 1_000));
        cell.item("item", &item, [95, 2, 100], None, "");
        cell.user("user", &user, [950, 20, 1_000], None, "");
        let order = |kind, id, status, tx, refusal, units| Order {
            kind,
            cart: if status == "open" || status == "aborting" {
                "line of an open order"
            } else {
                "line of a paid order"
            },
            id,
            status,
            tx,
            user: &user,
            refusal,
            incarnation: "",
            item: &item,
            units,
            sum: 10 * units,
        };
        let short = format!("insufficient_stock {item}");
        for order in [
            order("order, open", &open, "open", &open, "", 1),
            order("order, refused", &refused, "open", &tx[0], &short, 1),
            Order { cart: "line of a pending order", ..order("order, pending", &pending, "pending", &tx[1], "", 2) },
            order("order, aborting", &aborting, "aborting", &tx[2], "checkout_aborted", 4),
            order("order, paid", &paid, "paid", &tx[3], "", 3),
        ] {
            cell.order(&order);
        }
        cell.in_flight(&pending);
        cell.in_flight(&aborting);
        cell.payment(
            "payment, charged by checkout",
            [&user, &paid],
            [Some(30), Some(0), Some(6)],
            "charged",
            "checkout",
            "/",
        );
        cell.payment("payment, reserved", [&user, &pending], [Some(20), Some(0), None], "reserved", "checkout", "/");
        cell.payment("payment, charged by pay", [&user, &open], [Some(10), Some(0), None], "charged", "pay", "/");
        cell.payment("payment, cancelled", [&user, &refused], [Some(10), Some(10), None], "cancelled", "pay", "/");
        cell.held_units(&tx[1], &item, &pending);
        cell.held_credit(&tx[1], &user, &pending);
        cell.tombstone(Service::Stock, 1, &tx[3], "CONFIRMED");
        cell.tombstone(Service::Stock, 1, &tx[0], "INSUFFICIENT 1");
        cell.tombstone(Service::Payment, 0, &tx[3], "CONFIRMED");
        cell.tombstone(Service::Payment, 0, &tx[0], "ALREADY_PAID");
        // As good as a digest: nothing but the shop can tell.
        let digest = cell.id("digest", 0, 0);
        cell.push(
            "record of an idempotency key",
            Service::Payment,
            0,
            format!("key:{digest}"),
            Lies::KeyForATime,
            vec![
                Part::new("version", Form::Fixed, "2 "),
                Part::new("the rest", Form::Fixed, "/ 47DEQpj8HBSa-_TImW-5JA -"),
            ],
        );
        cell
    }

    /// Of ids of `batch_init`.
    pub fn loaded(number: u64, second: u64) -> Cell {
        let mut cell = Cell { entries: Vec::new(), ids: Vec::new(), number, second };
        let (user, item) = (cell.foreign("user", 1), cell.foreign("item", 0));
        let (paid, open, refused) = (cell.foreign("paid", 1), cell.foreign("open", 1), cell.foreign("refused", 1));
        let [of_user, of_paid, of_open, of_refused] =
            ["of user", "of paid", "of open", "of refused"].map(|role| cell.id(role, 1, 0));
        let tx = ["tx paid", "tx refused"].map(|role| cell.id(role, 1, 1_000));
        cell.item("item of batch_init", &item, [60, 0, 65], Some(12), "1790000000000000");
        cell.user("user of batch_init", &user, [435, 0, 500], Some(40), &of_user);
        let order = |kind, cart, id, status, tx, refusal, incarnation, units| Order {
            kind,
            cart,
            id,
            status,
            tx,
            user: &user,
            refusal,
            incarnation,
            item: &item,
            units,
            sum: 5 * units,
        };
        let (open_line, paid_line) = ("line of an open order", "line of a paid order");
        for order in [
            order("order of batch_init, paid", paid_line, &paid, "paid", &tx[0], "", &of_paid, 5),
            order("order of batch_init, open", open_line, &open, "open", &of_open, "", &of_open, 1),
            order(
                "order of batch_init, refused",
                open_line,
                &refused,
                "open",
                &tx[1],
                "insufficient_credit",
                &of_refused,
                1,
            ),
        ] {
            cell.order(&order);
        }
        let pair = format!("{of_user}/{of_paid}");
        let (charged, paid_directly) =
            ("payment of batch_init, charged by checkout", "payment of batch_init, charged by pay");
        cell.payment(charged, [&user, &paid], [Some(25), Some(0), None], "charged", "checkout", &pair);
        let pair = format!("{of_user}/{of_open}");
        cell.payment(paid_directly, [&user, &open], [Some(5), Some(0), None], "charged", "pay", &pair);
        cell.push(
            "units of overwritten orders",
            Service::Order,
            1,
            "overwritten".to_owned(),
            Lies::Hash(1),
            vec![Part::new("item", Form::Id, &item), Part::new("units", Form::Digits, "12")],
        );
        cell
    }

    /// Fifteen digits that say which cell and which of its ids it is.
    fn digits(&self, role: &str) -> String {
        let mut hasher = DefaultHasher::new();
        (self.number, role).hash(&mut hasher);
        format!("{:014x}", hasher.finish() >> 8)
    }

    /// A minted id that names a shard, so many milliseconds later.
    fn id(&mut self, role: &str, shard: usize, later_ms: u64) -> String {
        let (ms, digits) = (format!("{:012x}", BASE_MS + later_ms), self.digits(role));
        let id = format!("{}-{}-8000-8{}{}-{}", &ms[..8], &ms[8..], 4 * shard, &digits[..2], &digits[2..]);
        self.ids.push(id.clone());
        id
    }

    /// An id of another form that belongs on a shard of two.
    fn foreign(&mut self, role: &str, shard: usize) -> String {
        let id = (0..).map(|turn| format!("{turn:021}.{}", self.digits(role))).find(|id| home(id) == shard);
        let id = id.expect("half of all ids belong there");
        self.ids.push(id.clone());
        id
    }

    fn push(&mut self, kind: &'static str, service: Service, shard: usize, name: String, lies: Lies, parts: Vec<Part>) {
        self.entries.push(Entry { kind, service, shard, name, lies, parts });
    }

    fn item(&mut self, kind: &'static str, id: &str, [stock, held, net]: [u64; 3], before: Option<u64>, life: &str) {
        let price = if life.is_empty() { 10 } else { 5 };
        let numbers = [
            number("stock", Some(stock)),
            number("held", Some(held)),
            number("net", Some(net)),
            number("before", before),
            number("price", Some(price)),
        ];
        self.push(kind, Service::Stock, home(id), format!("item:{id}"), Lies::Key, record(&numbers, &[], life));
    }

    fn user(&mut self, kind: &'static str, id: &str, [credit, held, net]: [u64; 3], before: Option<u64>, life: &str) {
        let numbers = [
            number("credit", Some(credit)),
            number("held", Some(held)),
            number("net", Some(net)),
            number("before", before),
        ];
        self.push(kind, Service::Payment, home(id), format!("user:{id}"), Lies::Key, record(&numbers, &[], life));
    }

    fn payment(
        &mut self,
        kind: &'static str,
        [user, order]: [&str; 2],
        [charged, refunded, was]: [Option<u64>; 3],
        state: &str,
        by: &str,
        pair: &str,
    ) {
        let numbers = [number("charged", charged), number("refunded", refunded), number("was", was)];
        let texts = [("state", Form::Fixed, state), ("by", Form::Fixed, by)];
        let name = format!("payment:{user}:{order}");
        self.push(kind, Service::Payment, home(user), name, Lies::Key, record(&numbers, &texts, pair));
    }

    fn order(&mut self, order: &Order<'_>) {
        let was_begun = order.tx != order.id && order.tx != order.incarnation;
        let moment = |later: u64| was_begun.then_some(BASE_MS + later);
        let numbers =
            [number("total", Some(order.sum)), number("deadline", moment(6_000)), number("lease", moment(3_000))];
        let texts = [
            ("status", Form::Fixed, order.status),
            ("tx", Form::Id, order.tx),
            ("user", Form::Id, order.user),
            ("refusal", Form::Fixed, order.refusal),
        ];
        let parts = record(&numbers, &texts, order.incarnation);
        let shard = home(order.id);
        self.push(order.kind, Service::Order, shard, format!("order:{}", order.id), Lies::Key, parts);
        self.push(
            order.cart,
            Service::Order,
            shard,
            format!("cart:{}", order.id),
            Lies::Hash(1),
            vec![
                Part::new("item", Form::Id, order.item),
                Part::new("units", Form::Digits, order.units.to_string()),
                Part::new("space", Form::Fixed, " "),
                Part::new("sum", Form::Digits, order.sum.to_string()),
            ],
        );
    }

    fn in_flight(&mut self, order: &str) {
        let tag = format!("{{{}}}:order:", tag(Service::Order, 0));
        self.push(
            "entry in flight",
            Service::Order,
            0,
            "inflight".to_owned(),
            Lies::SortedSet(2),
            vec![
                Part::new("tag and kind", Form::Fixed, tag),
                Part::new("order", Form::Id, order),
                Part::new("moment", Form::Digits, (BASE_MS + 3_000).to_string()),
            ],
        );
    }

    fn held_units(&mut self, tx: &str, item: &str, order: &str) {
        let key = format!("{{{}}}:item:", tag(Service::Stock, 1));
        self.push(
            "reservation of units",
            Service::Stock,
            1,
            "held".to_owned(),
            Lies::Hash(1),
            vec![
                Part::new("tx", Form::Id, tx),
                Part::new("version", Form::Fixed, [1]),
                Part::new("kind", Form::Fixed, "u"),
                number("deadline", Some(BASE_MS + 6_000)),
                Part::new("number of lines", Form::Fixed, [1, 0]),
                Part::new(
                    "length of the item's key",
                    Form::Fixed,
                    [u8::try_from(key.len() + 36).expect("it is short")],
                ),
                Part::new("tag and kind", Form::Fixed, key),
                Part::new("item", Form::Id, item),
                number("units", Some(2)),
                Part::new("order", Form::Id, order),
            ],
        );
    }

    fn held_credit(&mut self, tx: &str, user: &str, order: &str) {
        let of = tag(Service::Payment, 0);
        let keys = [format!("{{{of}}}:user:{user}"), format!("{{{of}}}:payment:{user}:{order}"), order.to_owned()];
        let length = |text: &str| [u8::try_from(text.len()).expect("it is short")];
        self.push(
            "reservation of credit",
            Service::Payment,
            0,
            "held".to_owned(),
            Lies::Hash(1),
            vec![
                Part::new("tx", Form::Id, tx),
                Part::new("version", Form::Fixed, [1]),
                Part::new("kind", Form::Fixed, "c"),
                number("deadline", Some(BASE_MS + 6_000)),
                number("amount", Some(20)),
                Part::new("length of the user's key", Form::Fixed, length(&keys[0])),
                Part::new("user's key", Form::Fixed, &keys[0]),
                Part::new("length of the payment's key", Form::Fixed, length(&keys[1])),
                Part::new("payment's key", Form::Fixed, &keys[1]),
                Part::new("length of the order", Form::Fixed, length(&keys[2])),
                Part::new("order", Form::Id, &keys[2]),
                Part::new("incarnations", Form::Id, "/"),
            ],
        );
    }

    fn tombstone(&mut self, service: Service, shard: usize, tx: &str, answer: &str) {
        let (word, line) = answer.split_at(answer.find(' ').map_or(answer.len(), |space| space + 1));
        let mut parts = vec![Part::new("tx", Form::Id, tx), Part::new("answer", Form::Fixed, word)];
        if !line.is_empty() {
            parts.push(Part::new("line", Form::Digits, line));
        }
        self.push("tombstone", service, shard, format!("ended:{}", self.second), Lies::Hash(1), parts);
    }
}

fn number(region: &'static str, number: Option<u64>) -> Part {
    Part::new(region, Form::Number, number.map_or(f64::NAN, |number| number as f64).to_le_bytes())
}

/// A record: version, place of the incarnation, numbers, texts, incarnation.
fn record(numbers: &[Part], texts: &[(&'static str, Form, &str)], incarnation: &str) -> Vec<Part> {
    let mut parts =
        vec![Part::new("version", Form::Fixed, [1]), Part::new("place of the incarnation", Form::Fixed, [0])];
    parts.extend_from_slice(numbers);
    for (region, form, text) in texts {
        let length = u8::try_from(text.len()).expect("it is short");
        parts.push(Part::new("length of a text", Form::Fixed, [length]));
        let (word, item) = text.split_once(' ').unwrap_or((text, ""));
        parts.push(Part::new(region, *form, word));
        if !item.is_empty() {
            parts.push(Part::new("space", Form::Fixed, " "));
            parts.push(Part::new("item of the refusal", Form::Id, item));
        }
    }
    let size: usize = parts.iter().map(|part| part.bytes.len()).sum();
    parts[1].bytes = vec![u8::try_from(size).expect("it is short")];
    parts.push(Part::new("incarnation", Form::Id, incarnation));
    parts
}

/// The shard of two that owns an id: a minted one says so, of another the hash does (FNV-1a, folded).
fn home(id: &str) -> usize {
    if id.as_bytes()[14] == b'8' && id.as_bytes()[8] == b'-' {
        return usize::from(id.as_bytes()[20] >= b'4');
    }
    let step = |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = id.bytes().fold(0xcbf2_9ce4_8422_2325, step);
    usize::try_from(((hash >> 32) ^ (hash & 0xffff_ffff)) % 2).expect("it is 0 or 1")
}
