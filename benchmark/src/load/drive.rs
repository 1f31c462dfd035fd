//! Drives clients against a shop and keeps what came back.

use std::cell::{Cell, RefCell};
use std::fmt::Arguments;
use std::rc::Rc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt};
use shardcart_harness::Service;
use tokio::task::JoinSet;

use crate::load::answers::{Answers, What};
use crate::load::calls::{Call, Mix};
use crate::load::fill::Goods;
use crate::load::orders::{Orders, Pick};
use crate::load::pace::{Due, Pace};
use crate::load::progress::Progress;
use crate::load::timeline::{Tick, Timeline};
use crate::measure::cpu::Watched;
use crate::shop::client::{Answer, NoAnswer};
use crate::shop::front::{Front, Places};
use crate::waiting::during;

/// Connections that are opened at once.
const CONNECTING: usize = 64;

/// Pause of a client that got no answer: a server that is away must not be asked in a tight loop.
const UNANSWERED_PAUSE: Duration = Duration::from_millis(100);

/// A client fills one cart with so many lines, then begins another.
const SCRATCH_LINES: u32 = 20;

/// How many items a visitor looks at before the purchase, and how many of these go into the cart.
const LOOKED_AT: usize = 3;
const BOUGHT: usize = 2;

/// Credit that a visitor of [`Call::Purchase`] has.
const VISITOR_CREDIT: u64 = 1_000_000_000;

/// The highest price at which a visitor can pay for what is bought.
pub const VISITOR_PRICE_MAX: u64 = VISITOR_CREDIT / BOUGHT as u64;

/// One run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Its name in progress and errors.
    pub name: String,
    /// When requests are sent.
    pub pace: Pace,
    /// Which.
    pub mix: Mix,
    /// Which order is checked out next.
    pub pick: Pick,
    /// No more checkouts than this are asked for.
    pub checkouts: Option<u64>,
    /// Nothing is asked after this time.
    pub duration: Duration,
    /// The run is over when all clients together had no answer for so long.
    pub patience: Duration,
}

/// What a run brought.
#[derive(Debug)]
pub struct Run {
    /// What came back.
    pub answers: Answers,
    /// From the first request to the last answer.
    pub took: Duration,
    /// What came back when.
    pub ticks: Vec<Tick>,
    /// Why it ended before its time or its number of checkouts.
    pub cut_short: Option<&'static str>,
    /// Requests of an open loop that were due and never sent, because all connections were busy.
    pub unsent: u64,
}

/// What the clients of a run share; they all run on one thread.
struct Shared {
    plan: Plan,
    goods: Rc<Goods>,
    orders: Rc<Orders>,
    stop_at: Instant,
    checkouts_left: Cell<u64>,
    last_answer: Cell<Instant>,
    out_of_orders: Cell<bool>,
    answers: RefCell<Answers>,
    due: Due,
}

/// Why a client has no next request.
struct Done;

/// One client with its connection.
struct Shopper {
    front: Front,
    shared: Rc<Shared>,
    /// An order that it fills, and how many lines it has by now.
    scratch: Option<(String, u32)>,
    /// When the request under way was due, in an open loop.
    due: Option<Instant>,
}

/// Opens the connections of so many clients.
///
/// # Errors
/// One of them could not.
pub async fn connect(places: &Places, clients: u32, timeout: Duration) -> Result<Vec<Front>, String> {
    let opening = (0..clients).map(async |number| {
        let front = Front::connect(places, timeout).await;
        front.map_err(|error| format!("client {number} got no connection to {places}: {error}"))
    });
    let opened = futures_util::stream::iter(opening).buffer_unordered(CONNECTING).try_collect();
    during("connecting the clients", opened).await
}

/// Lets each of `fronts` act as a client as `plan` says, and gives them back with their connections.
///
/// # Errors
/// The shop stopped answering.
pub async fn run(
    plan: &Plan,
    fronts: Vec<Front>,
    goods: &Rc<Goods>,
    orders: &Rc<Orders>,
    watched: Option<&Watched>,
) -> Result<(Vec<Front>, Run), String> {
    let begun = Instant::now();
    let shared = Rc::new(Shared {
        plan: plan.clone(),
        goods: Rc::clone(goods),
        orders: Rc::clone(orders),
        stop_at: begun + plan.duration,
        checkouts_left: Cell::new(plan.checkouts.unwrap_or(u64::MAX)),
        last_answer: Cell::new(begun),
        out_of_orders: Cell::new(false),
        answers: RefCell::default(),
        due: Due::default(),
    });
    let ramp = match plan.pace {
        Pace::Closed { ramp, .. } => ramp,
        Pace::Open(_) => Duration::ZERO,
    };
    let count = u32::try_from(fronts.len()).unwrap_or(u32::MAX);
    let mut running = JoinSet::new();
    for (at, front) in (0_u32..).zip(fronts) {
        let begin = begun + ramp.mul_f64(f64::from(at) / f64::from(count.max(1)));
        let shopper = Shopper { front, shared: Rc::clone(&shared), scratch: None, due: None };
        running.spawn_local(shopper.shop(begin));
    }

    let mut timeline = Timeline::begin(watched);
    // A first error ends it: dropping the set ends the other clients.
    let fronts = {
        let clients = async {
            match &plan.pace {
                Pace::Closed { .. } => all(running).await,
                Pace::Open(schedule) => {
                    tokio::join!(shared.due.follow(schedule, begun, shared.stop_at), all(running)).1
                }
            }
        };
        let watch = watch(&shared, &mut timeline);
        tokio::select! {
            clients = clients => clients,
            never = watch => match never {},
        }
    };
    let mut answers = shared.answers.take();
    timeline.step(&mut answers);
    let fronts = fronts.map_err(|error| {
        let Plan { name, .. } = plan;
        let done = answers.counts().all();
        format!("the shop stopped answering, after {done} answers of the {name}: {error}")
    })?;
    let by_time = shared.last_answer.get() >= shared.stop_at || Instant::now() >= shared.stop_at;
    let cut_short = if shared.out_of_orders.get() {
        Some("all orders were checked out before it was over: load more of them")
    } else if plan.checkouts.is_some() && shared.checkouts_left.get() > 0 && by_time {
        Some("its time ended before all checkouts were asked")
    } else {
        None
    };
    let took = shared.last_answer.get() - begun;
    Ok((fronts, Run { answers, took, ticks: timeline.into_ticks(), cut_short, unsent: shared.due.unsent() }))
}

async fn all(mut running: JoinSet<Result<Front, NoAnswer>>) -> Result<Vec<Front>, NoAnswer> {
    let mut fronts = Vec::new();
    while let Some(ended) = running.join_next().await {
        fronts.push(ended.expect("a client neither panics nor is cancelled")?);
    }
    Ok(fronts)
}

/// Once a second, so that it costs the clients nothing.
async fn watch(shared: &Shared, timeline: &mut Timeline) -> std::convert::Infallible {
    let progress = Progress::new(&shared.plan.name, shared.plan.checkouts, shared.plan.duration);
    let mut seconds = tokio::time::interval(Duration::from_secs(1));
    seconds.tick().await;
    loop {
        seconds.tick().await;
        let mut answers = shared.answers.borrow_mut();
        let tick = timeline.step(&mut answers);
        progress.show(tick, answers.counts());
        // In an open loop the surplus waits for as long as a request may, and no longer.
        if Instant::now() > shared.stop_at + shared.plan.patience {
            shared.due.give_up();
        }
    }
}

impl Shopper {
    /// One request after another until there is no more to do.
    async fn shop(mut self, begin: Instant) -> Result<Front, NoAnswer> {
        let shared = Rc::clone(&self.shared);
        match shared.plan.pace {
            Pace::Closed { think, .. } => {
                if begin > Instant::now() {
                    tokio::time::sleep_until(begin.into()).await;
                }
                while Instant::now() < shared.stop_at {
                    match self.act(shared.plan.mix.draw(), think).await? {
                        Ok(()) => self.pause(think).await,
                        Err(Done) => break,
                    }
                }
            }
            Pace::Open(_) => {
                while let Some(due) = shared.due.take().await {
                    self.due = Some(due);
                    if let Err(Done) = self.act(shared.plan.mix.draw(), Duration::ZERO).await? {
                        shared.due.give_up();
                    }
                }
            }
        }
        Ok(self.front)
    }

    async fn pause(&self, think: Duration) {
        if !think.is_zero() {
            // Not beyond the end: a client that thinks would hold the others up.
            let until = (Instant::now() + think).min(self.shared.stop_at);
            tokio::time::sleep_until(until.into()).await;
        }
    }

    async fn act(&mut self, call: Call, think: Duration) -> Result<Result<(), Done>, NoAnswer> {
        let shared = Rc::clone(&self.shared);
        let Goods { items, users, orders } = &*shared.goods;
        match call {
            Call::Checkout => return self.check_out_next().await,
            Call::Purchase => return self.purchase(think).await.map(Ok),
            Call::AddItem => return self.add_to_scratch().await.map(Ok),
            _ => {}
        }
        let read = |service, path| (service, "GET", path);
        let (service, method, path) = match call {
            Call::FindOrder => read(Service::Order, format!("/find/{}", orders.any())),
            Call::FindItem => read(Service::Stock, format!("/find/{}", items.any())),
            Call::FindUser => read(Service::Payment, format!("/find_user/{}", users.any())),
            Call::PaymentStatus => read(Service::Payment, format!("/status/{}/{}", users.any(), orders.any())),
            Call::CreateOrder => (Service::Order, "POST", format!("/create/{}", users.any())),
            Call::CreateItem => (Service::Stock, "POST", "/item/create/1".to_owned()),
            Call::AddStock => (Service::Stock, "POST", format!("/add/{}/1", items.any())),
            Call::Subtract => (Service::Stock, "POST", format!("/subtract/{}/1", items.any())),
            Call::CreateUser => (Service::Payment, "POST", "/create_user".to_owned()),
            Call::AddFunds => (Service::Payment, "POST", format!("/add_funds/{}/1", users.any())),
            Call::Pay => (Service::Payment, "POST", format!("/pay/{}/1", users.any())),
            Call::Checkout | Call::Purchase | Call::AddItem => unreachable!("these have returned"),
        };
        self.ask(call, service, method, format_args!("{path}"), |()| What::Call(call), |_| ()).await.map(|_| Ok(()))
    }

    async fn check_out_next(&mut self) -> Result<Result<(), Done>, NoAnswer> {
        let shared = Rc::clone(&self.shared);
        let left = shared.checkouts_left.get();
        if left == 0 {
            return Ok(Err(Done));
        }
        let Some(order) = shared.orders.pick(shared.plan.pick) else {
            shared.out_of_orders.set(true);
            return Ok(Err(Done));
        };
        shared.checkouts_left.set(left - 1);
        let path = format_args!("/checkout/{}", shared.goods.orders.get(order));
        let first = |()| if shared.orders.paid_now(order) { What::Committed } else { What::AlreadyPaid };
        self.ask(Call::Checkout, Service::Order, "POST", path, first, |_| ()).await.map(|_| Ok(()))
    }

    /// A visitor who has never been here: an account with money, a look around, a cart, a checkout.
    async fn purchase(&mut self, think: Duration) -> Result<(), NoAnswer> {
        let shared = Rc::clone(&self.shared);
        let Some(user) = self.create(Call::CreateUser, Service::Payment, format_args!("/create_user")).await? else {
            return Ok(());
        };
        let path = format_args!("/add_funds/{user}/{VISITOR_CREDIT}");
        self.pause(think).await;
        self.plain(Call::AddFunds, Service::Payment, "POST", path).await?;
        let items: [u64; LOOKED_AT] = std::array::from_fn(|_| fastrand::u64(0..shared.goods.items.len()));
        for item in items {
            self.pause(think).await;
            let path = format_args!("/find/{}", shared.goods.items.get(item));
            self.plain(Call::FindItem, Service::Stock, "GET", path).await?;
        }
        self.pause(think).await;
        let Some(order) = self.create(Call::CreateOrder, Service::Order, format_args!("/create/{user}")).await? else {
            return Ok(());
        };
        for item in &items[..BOUGHT] {
            self.pause(think).await;
            let path = format_args!("/addItem/{order}/{}/1", shared.goods.items.get(*item));
            self.plain(Call::AddItem, Service::Order, "POST", path).await?;
        }
        self.pause(think).await;
        // Nobody else knows this order, and it is asked once: 2xx is its commit.
        let path = format_args!("/checkout/{order}");
        self.ask(Call::Checkout, Service::Order, "POST", path, |()| What::Committed, |_| ()).await?;
        Ok(())
    }

    async fn add_to_scratch(&mut self) -> Result<(), NoAnswer> {
        let shared = Rc::clone(&self.shared);
        let (order, lines) = match self.scratch.take() {
            Some(scratch) if scratch.1 < SCRATCH_LINES => scratch,
            _ => {
                let path = format_args!("/create/{}", shared.goods.users.any());
                match self.create(Call::CreateOrder, Service::Order, path).await? {
                    Some(order) => (order, 0),
                    None => return Ok(()),
                }
            }
        };
        let path = format_args!("/addItem/{order}/{}/1", shared.goods.items.any());
        self.plain(Call::AddItem, Service::Order, "POST", path).await?;
        self.scratch = Some((order, lines + 1));
        Ok(())
    }

    async fn plain(
        &mut self,
        call: Call,
        service: Service,
        method: &'static str,
        path: Arguments<'_>,
    ) -> Result<(), NoAnswer> {
        self.ask(call, service, method, path, |()| What::Call(call), |_| ()).await.map(|_| ())
    }

    async fn create(&mut self, call: Call, service: Service, path: Arguments<'_>) -> Result<Option<String>, NoAnswer> {
        let made = |answer: &Answer<'_>| crate::shop::control::minted(answer.body);
        Ok(self.ask(call, service, "POST", path, |()| What::Call(call), made).await?.flatten())
    }

    /// Sends one request and counts its answer. `what` tells, of a 2xx, what was done. `None` if it was no 2xx.
    ///
    /// # Errors
    /// No answer, and none to any client for longer than the run's patience.
    async fn ask<T>(
        &mut self,
        call: Call,
        service: Service,
        method: &'static str,
        path: Arguments<'_>,
        what: impl FnOnce(()) -> What,
        read: impl FnOnce(&Answer<'_>) -> T,
    ) -> Result<Option<T>, NoAnswer> {
        let shared = Rc::clone(&self.shared);
        // What a request that was due waited for a connection is part of its latency. Of a visit's many requests only
        // the first was due.
        let begun = self.due.take().unwrap_or_else(Instant::now);
        let asked = format_args!("{method} /{}{path}", service.prefix());
        let answer = self.front.ask(service, method, path).await;
        let ended = Instant::now();
        match answer {
            Ok(answer) => {
                shared.last_answer.set(ended);
                let done = (200..300).contains(&answer.status);
                let what = if done { what(()) } else { What::Call(call) };
                shared.answers.borrow_mut().answered(what, asked, &answer, ended - begun);
                Ok(done.then(|| read(&answer)))
            }
            Err(error) => {
                shared.answers.borrow_mut().unanswered(What::Call(call), asked, &error);
                if ended - shared.last_answer.get() > shared.plan.patience {
                    return Err(error);
                }
                tokio::time::sleep(UNANSWERED_PAUSE).await;
                Ok(None)
            }
        }
    }
}
