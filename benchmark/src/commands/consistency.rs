//! `consistency`: many checkouts at once that want more than there is, and then every store against every answer.
//!
//! Data is made with the calls that every client may make, so this works on any deployment and overwrites nothing.

use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde::Deserialize;
use shardcart_harness::Service;
use tokio::task::JoinSet;

use crate::load::books::{Item, User};
use crate::load::drive;
use crate::report::chart::Bars;
use crate::report::findings::Findings;
use crate::report::table::{Table, grouped};
use crate::shop::client::Answer;
use crate::shop::control::Control;
use crate::shop::front::{Front, ShopArgs};
use crate::waiting::during;

/// How often a checkout is asked that was turned away, given up or not answered. Repeating it is safe.
const TRIES_MAX: u32 = 40;

/// Pause before it is asked again.
const TRY_PAUSE: Duration = Duration::from_millis(200);

/// Longest wait for the stores to say what the answers said: what was given up is freed a moment later.
const AGREE_WAIT: Duration = Duration::from_secs(15);

/// How long one answer may take.
const TIMEOUT: Duration = Duration::from_secs(15);

/// What to try.
#[derive(Debug, clap::Args)]
pub struct ConsistencyArgs {
    #[command(flatten)]
    pub shop: ShopArgs,
    /// Small burst: users who want one unit of the one item, all at once, each over a connection of its own
    #[arg(long, default_value_t = 1000, value_parser = clap::value_parser!(u64).range(1..=20_000))]
    pub users: u64,
    /// Small burst: units of the one item
    #[arg(long, default_value_t = 100)]
    pub stock: u64,
    /// Large burst: orders, each asked by two clients at once; 0 leaves it out
    #[arg(long, default_value_t = 5000)]
    pub large_orders: u64,
    /// Large burst: items, of which there are too few
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(4..))]
    pub large_items: u64,
    /// Large burst: users, some of whom have too little
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..))]
    pub large_users: u64,
    /// Large burst: clients
    #[arg(long, default_value_t = 256, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    pub large_clients: u32,
}

/// A thing of which there is so much.
struct Supply {
    id: Box<str>,
    /// Price of a unit; of a user 1.
    price: u64,
    /// Units, or credit.
    amount: u64,
}

struct Cart {
    order: Box<str>,
    user: usize,
    /// Item and units.
    lines: Vec<(usize, u64)>,
    outcome: Cell<Outcome>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Unknown,
    Paid,
    Refused,
}

/// Everything that a burst is about.
struct Scene {
    items: Vec<Supply>,
    users: Vec<Supply>,
    carts: Vec<Cart>,
    /// Checkouts that were sent, whatever came of them.
    asked: Cell<u64>,
    /// Those of them that a client sent once more, because it was turned away, given up or not answered.
    again: Cell<u64>,
    /// The first answer of each kind that was no 2xx.
    first: RefCell<Vec<(String, u64, String)>>,
}

/// By how much the stores and the answers differ; all 0 if all is well.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Differences {
    stock: u64,
    credit: u64,
    orders: u64,
    money: u64,
}

#[derive(Deserialize)]
struct Order {
    paid: bool,
}

/// Runs both bursts.
///
/// # Errors
/// The shop is not ready, or refuses what must succeed. An inconsistency is in the findings.
pub async fn run(args: &ConsistencyArgs) -> Result<Findings, String> {
    let control = Control::connect(&args.shop).await?;
    let mut findings = Findings::new(format!("Consistency, {}", control.places()));
    let mut table = Table::new(
        "Inconsistencies",
        &[
            "burst",
            "orders",
            "asked",
            "asked again",
            "paid",
            "refused",
            "seconds",
            "stock",
            "credit",
            "orders",
            "money",
        ],
    );
    let small = during("making one item and its users", one_item(&control, args.stock, args.users)).await?;
    let clients = u32::try_from(args.users).unwrap_or(u32::MAX);
    let paid = burst("1 item", small, 1, clients, &control, &mut table, &mut findings).await?;
    let wanted = args.stock.min(args.users);
    if paid != wanted {
        findings.failures.push(format!("1 item: {paid} of {wanted} units were sold that were there and wanted"));
    }
    if args.large_orders > 0 {
        let large = during("making many items, users and orders", many_items(&control, args)).await?;
        burst("many items", large, 2, args.large_clients, &control, &mut table, &mut findings).await?;
    }
    table.notes.extend(
        [
            "asked: checkouts that were sent; in the burst of many items two clients ask for each order at the same time, on purpose: it must be paid once",
            "asked again: those of them that the same client sent once more after it was turned away (429), given up (409 checkout_aborted), answered 5xx or not answered, until an answer tells whether the order is paid",
            "stock: units gone from the stores, against the units in orders that were answered 2xx; the differences of all items added up",
            "credit: credit gone, against the totals of orders that were answered 2xx; the differences of all users added up",
            "orders: orders that say paid and were never answered 2xx, and the reverse",
            "money: credit gone, against the price of the units gone, whatever was answered: what was lost or came from nowhere",
        ]
        .map(str::to_owned),
    );
    findings.tables.push(table);
    Ok(findings)
}

/// One item, and users who have the money for one unit each.
async fn one_item(control: &Control, stock: u64, users: u64) -> Result<Scene, String> {
    let items = supply(control, 1, async |_, control| item(control, 1, stock).await).await?;
    let users = supply(control, users, async |_, control| user(control, 1).await).await?;
    let wanted = (0..users.len()).map(|user| (user, vec![(0, 1)])).collect();
    Scene::make(control, items, users, wanted).await
}

/// Orders of one to four items each, with about six tenths of the units and of the money that all of them want.
async fn many_items(control: &Control, args: &ConsistencyArgs) -> Result<Scene, String> {
    let wanted: Vec<(usize, Vec<(usize, u64)>)> = (0..args.large_orders)
        .map(|_| {
            let mut lines: Vec<(usize, u64)> = Vec::new();
            for _ in 0..fastrand::usize(1..=4) {
                let item = fastrand::usize(0..args.large_items as usize);
                if !lines.iter().any(|(other, _)| *other == item) {
                    lines.push((item, fastrand::u64(1..=3)));
                }
            }
            (fastrand::usize(0..args.large_users as usize), lines)
        })
        .collect();
    let price = |item: usize| 1 + item as u64 % 7;
    let (mut units, mut money) = (vec![0; args.large_items as usize], vec![0; args.large_users as usize]);
    for (user, lines) in &wanted {
        for (item, quantity) in lines {
            units[*item] += quantity;
            money[*user] += quantity * price(*item);
        }
    }
    let items =
        supply(control, args.large_items, async |at, control| item(control, price(at), units[at] * 6 / 10).await);
    let items = items.await?;
    let users = supply(control, args.large_users, async |at, control| user(control, money[at] * 6 / 10).await).await?;
    Scene::make(control, items, users, wanted).await
}

async fn item(control: &mut Control, price: u64, stock: u64) -> Result<Supply, String> {
    let id = control.create(Service::Stock, format_args!("/item/create/{price}")).await?;
    control.post(Service::Stock, format_args!("/add/{id}/{stock}")).await?;
    Ok(Supply { id, price, amount: stock })
}

async fn user(control: &mut Control, credit: u64) -> Result<Supply, String> {
    let id = control.create(Service::Payment, format_args!("/create_user")).await?;
    control.post(Service::Payment, format_args!("/add_funds/{id}/{credit}")).await?;
    Ok(Supply { id, price: 1, amount: credit })
}

async fn supply(
    control: &Control,
    count: u64,
    make: impl AsyncFn(usize, &mut Control) -> Result<Supply, String>,
) -> Result<Vec<Supply>, String> {
    let made: RefCell<Vec<(u64, Supply)>> = RefCell::default();
    let all = control.each(count, async |at, control| {
        let one = make(at as usize, control).await?;
        made.borrow_mut().push((at, one));
        Ok(())
    });
    all.await?;
    let mut made = made.into_inner();
    made.sort_by_key(|(at, _)| *at);
    Ok(made.into_iter().map(|(_, one)| one).collect())
}

impl Scene {
    async fn make(
        control: &Control,
        items: Vec<Supply>,
        users: Vec<Supply>,
        wanted: Vec<(usize, Vec<(usize, u64)>)>,
    ) -> Result<Self, String> {
        let carts = RefCell::new(Vec::new());
        let all = control.each(wanted.len() as u64, async |at, control| {
            let (user, lines) = wanted[at as usize].clone();
            let order = control.create(Service::Order, format_args!("/create/{}", users[user].id)).await?;
            for (item, quantity) in &lines {
                let path = format_args!("/addItem/{order}/{}/{quantity}", items[*item].id);
                control.post(Service::Order, path).await?;
            }
            carts.borrow_mut().push(Cart { order, user, lines, outcome: Cell::new(Outcome::Unknown) });
            Ok(())
        });
        all.await?;
        Ok(Self {
            items,
            users,
            carts: carts.into_inner(),
            asked: Cell::new(0),
            again: Cell::new(0),
            first: RefCell::default(),
        })
    }

    fn count(&self, outcome: Outcome) -> u64 {
        self.carts.iter().filter(|cart| cart.outcome.get() == outcome).count() as u64
    }

    fn note(&self, kind: String, cart: &Cart, said: &str) {
        let mut first = self.first.borrow_mut();
        match first.iter_mut().find(|(known, ..)| *known == kind) {
            Some((_, count, _)) => *count += 1,
            None => first.push((kind, 1, format!("order {}: {said}", cart.order))),
        }
    }

    /// Asks until there is an answer that tells whether the order is paid.
    async fn check_out(&self, cart: &Cart, front: &mut Front) {
        for tries in 0..TRIES_MAX {
            self.asked.set(self.asked.get() + 1);
            self.again.set(self.again.get() + u64::from(tries > 0));
            match front.ask(Service::Order, "POST", format_args!("/checkout/{}", cart.order)).await {
                Ok(Answer { status: 200..=299, .. }) => {
                    cart.outcome.set(Outcome::Paid);
                    return;
                }
                Ok(Answer { status, body }) => {
                    let said = String::from_utf8_lossy(body);
                    let code = code(body);
                    self.note(format!("{status} {code}"), cart, &said);
                    // Given up for a reason that passes: that one is asked again, like what was turned away.
                    if (400..500).contains(&status) && status != 429 && code != "checkout_aborted" {
                        // Another client may have got a 2xx for it before, or may get one later: 2xx stands.
                        if cart.outcome.get() == Outcome::Unknown {
                            cart.outcome.set(Outcome::Refused);
                        }
                        return;
                    }
                }
                Err(error) => self.note("no answer".to_owned(), cart, &error.to_string()),
            }
            tokio::time::sleep(TRY_PAUSE).await;
        }
    }

    /// Reads every item, user and order, and compares.
    async fn differences(&self, control: &Control) -> Result<Differences, String> {
        let (mut units, mut money) = (vec![0_u64; self.items.len()], vec![0_u64; self.users.len()]);
        for cart in self.carts.iter().filter(|cart| cart.outcome.get() == Outcome::Paid) {
            for (item, quantity) in &cart.lines {
                units[*item] += quantity;
                money[cart.user] += quantity * self.items[*item].price;
            }
        }
        let found: Cell<Differences> = Cell::default();
        let change = |change: fn(&mut Differences, u64), by: u64| {
            let mut all = found.get();
            change(&mut all, by);
            found.set(all);
        };
        let (goods_gone, money_gone) = (Cell::new(0_i128), Cell::new(0_i128));
        let gone = |of: &Supply, left: u64| i128::from(of.amount) - i128::from(left);
        let apart =
            |gone: i128, taken: u64| u64::try_from((gone - i128::from(taken)).unsigned_abs()).unwrap_or(u64::MAX);
        let items = control.each(self.items.len() as u64, async |at, control| {
            let of = &self.items[at as usize];
            let Item { stock } = control.find(Service::Stock, format_args!("/find/{}", of.id)).await?;
            goods_gone.set(goods_gone.get() + gone(of, stock) * i128::from(of.price));
            change(|all, by| all.stock += by, apart(gone(of, stock), units[at as usize]));
            Ok(())
        });
        items.await?;
        let users = control.each(self.users.len() as u64, async |at, control| {
            let of = &self.users[at as usize];
            let User { credit } = control.find(Service::Payment, format_args!("/find_user/{}", of.id)).await?;
            money_gone.set(money_gone.get() + gone(of, credit));
            change(|all, by| all.credit += by, apart(gone(of, credit), money[at as usize]));
            Ok(())
        });
        users.await?;
        let orders = control.each(self.carts.len() as u64, async |at, control| {
            let cart = &self.carts[at as usize];
            let Order { paid } = control.find(Service::Order, format_args!("/find/{}", cart.order)).await?;
            change(|all, by| all.orders += by, u64::from(paid != (cart.outcome.get() == Outcome::Paid)));
            Ok(())
        });
        orders.await?;
        let lost = (money_gone.get() - goods_gone.get()).unsigned_abs();
        change(|all, by| all.money += by, u64::try_from(lost).unwrap_or(u64::MAX));
        Ok(found.get())
    }
}

fn code(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Problem {
        code: String,
    }
    serde_json::from_slice(body).map(|Problem { code }| code).unwrap_or_default()
}

/// Checks out every cart, `abreast` times at once, and tells how many are paid.
async fn burst(
    name: &str,
    scene: Scene,
    abreast: usize,
    clients: u32,
    control: &Control,
    table: &mut Table,
    findings: &mut Findings,
) -> Result<u64, String> {
    let scene = std::rc::Rc::new(scene);
    let fronts = drive::connect(control.places(), clients, TIMEOUT).await?;
    let next = std::rc::Rc::new(Cell::new(0));
    let begun = Instant::now();
    let mut running = JoinSet::new();
    for mut front in fronts {
        let (scene, next) = (std::rc::Rc::clone(&scene), std::rc::Rc::clone(&next));
        running.spawn_local(async move {
            loop {
                // Neighbours get the same order, so that they ask for it at the same time.
                let at: usize = next.replace(next.get() + 1);
                let Some(cart) = scene.carts.get(at / abreast) else {
                    return;
                };
                scene.check_out(cart, &mut front).await;
            }
        });
    }
    let all = async {
        while let Some(ended) = running.join_next().await {
            ended.map_err(|error| format!("a client ended early: {error}"))?;
        }
        Ok::<_, String>(())
    };
    during(&format!("burst of {name}"), all).await?;
    let seconds = begun.elapsed().as_secs_f64();

    let reading = Instant::now();
    let compared = async {
        let mut differences = scene.differences(control).await?;
        while differences != Differences::default() && reading.elapsed() < AGREE_WAIT {
            tokio::time::sleep(TRY_PAUSE).await;
            differences = scene.differences(control).await?;
        }
        Ok::<_, String>(differences)
    };
    let differences = during("reading every item, user and order", compared).await?;
    let Differences { stock, credit, orders, money } = differences;
    let (paid, refused, unknown) =
        (scene.count(Outcome::Paid), scene.count(Outcome::Refused), scene.count(Outcome::Unknown));
    let mut row = vec![name.to_owned()];
    let counts = [scene.carts.len() as u64, scene.asked.get(), scene.again.get(), paid, refused];
    row.extend(counts.map(|count| grouped(count as f64)));
    row.push(format!("{seconds:.2}"));
    row.extend([stock, credit, orders, money].map(|count| count.to_string()));
    table.row(row);

    let outcomes = [("paid", paid), ("refused", refused), ("unknown", unknown), ("asked again", scene.again.get())];
    let bars = outcomes.map(|(what, count)| (what.to_owned(), count as f64));
    findings.bars.push(Bars::new(format!("Orders by outcome, and checkouts asked again: {name}"), bars));
    if differences != Differences::default() {
        findings.failures.push(format!("{name}: the stores do not hold what the answers said"));
    }
    if unknown > 0 {
        findings.failures.push(format!("{name}: {unknown} checkouts never got an answer that tells"));
    }
    for (kind, count, first) in scene.first.borrow().iter() {
        let mut line = String::new();
        let _ = write!(line, "{name}: {count} × {kind}, first: {first}"); // Writing to a string cannot fail.
        findings.notes.push(line);
    }
    Ok(paid)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shop::standin::{Behaviour, StandIn};

    async fn check(behaviour: Behaviour) -> Result<Findings, String> {
        let standin = StandIn::start(behaviour).await;
        let args = ConsistencyArgs {
            shop: ShopArgs::at(standin.url.parse().unwrap()),
            users: 30,
            stock: 10,
            large_orders: 0,
            large_items: 4,
            large_users: 1,
            large_clients: 1,
        };
        tokio::task::LocalSet::new().run_until(run(&args)).await
    }

    fn figures(findings: &Findings) -> Vec<u64> {
        findings.tables[0].rows[0][7..].iter().map(|cell| cell.parse().unwrap()).collect()
    }

    #[tokio::test]
    async fn a_good_shop_sells_what_there_is_and_nothing_more() {
        let findings = check(Behaviour { keeps_records: true, ..Behaviour::default() }).await.unwrap();
        assert_eq!(findings.tables[0].rows[0][4], "10");
        assert_eq!(figures(&findings), [0, 0, 0, 0]);
        assert_eq!(findings.verdict(), Ok(()));
    }

    #[tokio::test]
    async fn a_shop_that_forgets_to_charge_is_found_out() {
        let behaviour = Behaviour { keeps_records: true, forgets_to_charge: true, ..Behaviour::default() };
        let findings = check(behaviour).await.unwrap();
        assert_eq!(figures(&findings), [0, 10, 0, 10]);
        assert!(findings.verdict().is_err());
    }

    #[tokio::test]
    async fn what_is_asked_again_is_counted_and_said() {
        let once = check(Behaviour { keeps_records: true, ..Behaviour::default() }).await.unwrap();
        assert_eq!(once.tables[0].rows[0][1..6], ["30", "30", "0", "10", "20"]);
        let behaviour = Behaviour { keeps_records: true, turns_away_first: true, ..Behaviour::default() };
        let findings = check(behaviour).await.unwrap();
        assert_eq!(findings.tables[0].rows[0][1..6], ["30", "60", "30", "10", "20"]);
        assert_eq!(findings.verdict(), Ok(()));
        let text = findings.to_string();
        assert!(text.contains("two clients ask for each order") && text.contains("asked again: those"), "{text}");
    }
}
