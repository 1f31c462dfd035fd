//! A shop of a few lines for the generator's own tests: it keeps sums, not records.

use std::sync::{Arc, Mutex, MutexGuard};

use shardcart_harness::Service;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// In what the stand-in differs from a good shop.
#[derive(Debug, Clone, Default)]
pub struct Behaviour {
    /// Refuses every n-th order.
    pub refuses_every: Option<u64>,
    /// Has no stock left after so many paid orders.
    pub sells_out_after: Option<u64>,
    /// Answers 200 and takes nothing.
    pub lies: bool,
    /// Closes all connections and listens no more after so many checkouts.
    pub stops_after: Option<u64>,
    /// Keeps items, users and orders, each with what it has, instead of sums. It knows no batch_init then.
    pub keeps_records: bool,
    /// Turns the first checkout of every order away, of those that it keeps.
    pub turns_away_first: bool,
    /// Takes the stock and not the money.
    pub forgets_to_charge: bool,
    /// Is this service alone, whose paths have no prefix.
    pub only: Option<Service>,
    /// Pauses for so long, once, before it answers this checkout, and nobody else is answered meanwhile.
    pub stalls: Option<(u64, std::time::Duration)>,
}

#[derive(Debug, Default)]
struct State {
    stock: u64,
    credit: u64,
    price: u64,
    taken_units: u64,
    asked: Vec<u64>,
    paid: std::collections::HashSet<u64>,
    created: u64,
    users: u64,
    orders: u64,
    records: Records,
}

/// What [`Behaviour::keeps_records`] keeps; the position is the id.
#[derive(Debug, Default)]
struct Records {
    /// Price and stock.
    items: Vec<(u64, u64)>,
    credits: Vec<u64>,
    orders: Vec<Order>,
}

#[derive(Debug)]
struct Order {
    user: usize,
    lines: Vec<(usize, u64)>,
    paid: bool,
    asked: bool,
}

/// A running stand-in.
#[derive(Debug)]
pub struct StandIn {
    /// Where it listens.
    pub url: String,
    state: Arc<Mutex<State>>,
}

impl StandIn {
    /// Listens on a port of its own until the runtime ends.
    pub async fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("a bound address"));
        let state = Arc::<Mutex<State>>::default();
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            let (stopped, mut stop) = tokio::sync::mpsc::channel(1);
            loop {
                tokio::select! {
                    accepted = listener.accept() => {
                        let (stream, _) = accepted.expect("a connection");
                        connections.spawn(serve(stream, Arc::clone(&shared), behaviour.clone(), stopped.clone()));
                    }
                    _ = stop.recv() => return,
                }
            }
        });
        Self { url, state }
    }

    /// The orders that were checked out, sorted.
    pub fn asked(&self) -> Vec<u64> {
        let mut asked = lock(&self.state).asked.clone();
        asked.sort_unstable();
        asked
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("no other holder panics")
}

async fn serve(
    mut stream: TcpStream,
    state: Arc<Mutex<State>>,
    behaviour: Behaviour,
    stopped: tokio::sync::mpsc::Sender<()>,
) {
    let mut request = Vec::new();
    while matches!(stream.read_buf(&mut request).await, Ok(read) if read > 0) {
        if !request.ends_with(b"\r\n\r\n") {
            continue;
        }
        let text = String::from_utf8_lossy(&request);
        let prefix = behaviour.only.map_or("", Service::prefix);
        let path = format!("{prefix}{}", text.split(' ').nth(1).expect("a path"));
        request.clear();
        let Some((status, body)) = answer(&path, &state, &behaviour) else {
            let _ = stopped.send(()).await;
            return;
        };
        let text = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n{body}", body.len());
        if stream.write_all(text.as_bytes()).await.is_err() {
            return;
        }
    }
}

/// Everything is taken from item 0 and user 0: only the sums matter. `None`: it stops here.
fn answer(path: &str, state: &Mutex<State>, behaviour: &Behaviour) -> Option<(u16, String)> {
    let mut state = lock(state);
    let words: Vec<&str> = path.trim_start_matches('/').split('/').collect();
    if behaviour.keeps_records && words[0] != "health" {
        return Some(state.records.answer(&words, behaviour));
    }
    let number = |at: usize| words[at].parse::<u64>().expect("a number");
    let taken = |id: u64, units: u64| if id == 0 { units } else { 0 };
    let body = match (words[0], words[1]) {
        ("stock", "batch_init") => {
            (state.stock, state.price, state.taken_units) = (number(3), number(4), 0);
            String::new()
        }
        ("payment", "batch_init") => {
            state.credit = number(3);
            String::new()
        }
        ("stock", "find") => {
            let left = state.stock - taken(number(2), state.taken_units);
            format!(r#"{{"stock":{left},"price":{}}}"#, state.price)
        }
        ("payment", "find_user") => {
            let left = state.credit - taken(number(2), state.taken_units * state.price);
            format!(r#"{{"user_id":"x","credit":{left}}}"#)
        }
        ("orders", "checkout") => {
            let repeated = state.paid.contains(&number(2));
            state.asked.push(number(2));
            if let Some((at, pause)) = behaviour.stalls
                && state.asked.len() as u64 == at
            {
                std::thread::sleep(pause);
            }
            if behaviour.stops_after.is_some_and(|checkouts| state.asked.len() as u64 > checkouts) {
                return None;
            }
            if behaviour.refuses_every.is_some_and(|every| number(2).is_multiple_of(every)) {
                return Some((409, r#"{"code":"checkout_aborted","detail":"given up"}"#.to_owned()));
            }
            if behaviour.sells_out_after.is_some_and(|orders| state.paid.len() as u64 >= orders) && !repeated {
                return Some((409, r#"{"code":"insufficient_stock","detail":"none left"}"#.to_owned()));
            }
            if !behaviour.lies && !repeated {
                state.taken_units += 2;
                state.paid.insert(number(2));
            }
            String::new()
        }
        ("stock", "item") => {
            (state.price, state.created) = (number(3), state.created + 1);
            return Some((200, format!(r#"{{"item_id":"{}"}}"#, state.created - 1)));
        }
        // Each item and user has the same; only the first is charged.
        ("stock", "add") => {
            state.stock = number(3);
            String::new()
        }
        ("payment", "create_user") => {
            state.users += 1;
            return Some((200, format!(r#"{{"user_id":"{}"}}"#, state.users - 1)));
        }
        ("payment", "add_funds") => {
            state.credit = number(3);
            String::new()
        }
        ("orders", "create") => {
            state.orders += 1;
            return Some((200, format!(r#"{{"order_id":"{}"}}"#, state.orders - 1)));
        }
        ("orders", "addItem") => String::new(),
        ("orders", "batch_init") => {
            state.paid.clear();
            String::new()
        }
        (_, "health") | ("health", "ready") => String::new(),
        _ => return Some((404, String::new())),
    };
    Some((200, body))
}

impl Records {
    fn answer(&mut self, words: &[&str], behaviour: &Behaviour) -> (u16, String) {
        let number = |at: usize| words[at].parse::<u64>().expect("a number");
        let place = |at: usize| words[at].parse::<usize>().expect("a number");
        let body = match (words[0], words[1]) {
            ("stock", "item") => {
                self.items.push((number(3), 0));
                format!(r#"{{"item_id":"{}"}}"#, self.items.len() - 1)
            }
            ("stock", "add") => {
                self.items[place(2)].1 += number(3);
                String::new()
            }
            ("stock", "find") => {
                format!(r#"{{"price":{},"stock":{}}}"#, self.items[place(2)].0, self.items[place(2)].1)
            }
            ("payment", "create_user") => {
                self.credits.push(0);
                format!(r#"{{"user_id":"{}"}}"#, self.credits.len() - 1)
            }
            ("payment", "add_funds") => {
                self.credits[place(2)] += number(3);
                String::new()
            }
            ("payment", "find_user") => format!(r#"{{"user_id":"x","credit":{}}}"#, self.credits[place(2)]),
            ("orders", "create") => {
                self.orders.push(Order { user: place(2), lines: Vec::new(), paid: false, asked: false });
                format!(r#"{{"order_id":"{}"}}"#, self.orders.len() - 1)
            }
            ("orders", "addItem") => {
                self.orders[place(2)].lines.push((place(3), number(4)));
                String::new()
            }
            ("orders", "find") => format!(r#"{{"paid":{}}}"#, self.orders[place(2)].paid),
            ("orders", "checkout") => return self.check_out(place(2), behaviour),
            _ => return (404, String::new()),
        };
        (200, body)
    }

    fn check_out(&mut self, order: usize, behaviour: &Behaviour) -> (u16, String) {
        let Order { user, lines, paid, asked } = &mut self.orders[order];
        if behaviour.turns_away_first && !std::mem::replace(asked, true) {
            return (429, r#"{"code":"overloaded"}"#.to_owned());
        }
        if *paid {
            return (200, String::new());
        }
        let total: u64 = lines.iter().map(|(item, units)| self.items[*item].0 * units).sum();
        if lines.iter().any(|(item, units)| self.items[*item].1 < *units) {
            return (409, r#"{"code":"insufficient_stock"}"#.to_owned());
        }
        if self.credits[*user] < total {
            return (402, r#"{"code":"insufficient_credit"}"#.to_owned());
        }
        lines.iter().for_each(|(item, units)| self.items[*item].1 -= units);
        self.credits[*user] -= if behaviour.forgets_to_charge { 0 } else { total };
        *paid = true;
        (200, String::new())
    }
}
