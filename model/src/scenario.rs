//! What is looked at: small shops in which much can go wrong.

/// A shop, what its clients do, and what may happen to it.
#[derive(Debug, Clone, Copy)]
pub struct Scenario {
    /// Its name.
    pub name: &'static str,
    /// What it is about.
    pub about: &'static str,
    /// Stock shards and the payment shard: each order wants one unit of each stock shard, and one of the user's credit.
    pub parts: usize,
    /// The order of each checkout request. Orders are counted from 0.
    pub requests: &'static [usize],
    /// Whether a request is sent only when those before it are over: a client that repeats, not several clients.
    pub one_by_one: bool,
    /// What there is at first, by part.
    pub units: [u8; 3],
    /// How many units come in at some time, by part.
    pub restocks: [u8; 3],
    /// How often the order is overwritten by a bulk load, at some time.
    pub loads: u8,
    /// Whether orders are removed.
    pub removes: bool,
    /// Whether orders are paid directly, and such payments given back.
    pub pays: bool,
    /// How many entries of `inflight` are lost. With any, participants review what they hold.
    pub losses: u8,
}

impl Scenario {
    /// How many orders there are.
    pub fn orders(&self) -> usize {
        self.requests.iter().max().map_or(0, |last| last + 1)
    }
}

const PLAIN: Scenario = Scenario {
    name: "",
    about: "",
    parts: 2,
    requests: &[0, 0],
    one_by_one: false,
    units: [1; 3],
    restocks: [0; 3],
    loads: 0,
    removes: false,
    pays: false,
    losses: 0,
};

/// One request, one stock shard.
pub const ONE: Scenario = Scenario { name: "one", about: "one order, one request", requests: &[0], ..PLAIN };

/// Two requests for one order.
pub const REPEATED: Scenario = Scenario { name: "repeated", about: "one order, two requests", ..PLAIN };

/// One request, two stock shards; one of them is empty at first.
pub const SHORT: Scenario = Scenario {
    name: "short",
    about: "one order, two stock shards, one empty until stock comes in",
    parts: 3,
    requests: &[0],
    units: [0, 1, 1],
    restocks: [1, 0, 0],
    ..PLAIN
};

/// Two orders that want the same last unit, and the same user's last credit.
pub const BUSY: Scenario = Scenario {
    name: "busy",
    about: "two orders of one user, one unit and one credit for both",
    requests: &[0, 1],
    ..PLAIN
};

/// A checkout and direct payments.
pub const PAY: Scenario = Scenario {
    name: "pay",
    about: "one order, one request, paid directly and given back meanwhile",
    requests: &[0],
    units: [2; 3],
    pays: true,
    ..PLAIN
};

/// A bulk load, and the order's removal.
pub const LOAD: Scenario = Scenario {
    name: "load",
    about: "one order, one request, overwritten by a bulk load and removed",
    requests: &[0],
    units: [2; 3],
    loads: 1,
    removes: true,
    ..PLAIN
};

/// A bulk load between two attempts.
pub const RELOAD: Scenario = Scenario {
    name: "reload",
    about: "one order, two requests one after the other, a bulk load meanwhile",
    one_by_one: true,
    units: [2; 3],
    loads: 1,
    ..PLAIN
};

/// An entry of `inflight` is lost, and participants review.
pub const REVIEW: Scenario = Scenario {
    name: "review",
    about: "one order, one request, its entry of inflight is lost",
    requests: &[0],
    losses: 1,
    ..PLAIN
};

/// Two requests for one order at two stock shards, one after the other.
pub const SHARDS: Scenario = Scenario {
    name: "shards",
    about: "one order, two stock shards, two requests one after the other",
    parts: 3,
    one_by_one: true,
    ..PLAIN
};

/// What `make test` looks at.
pub const SMALL: [Scenario; 9] = [ONE, SHORT, PAY, REVIEW, LOAD, RELOAD, SHARDS, REPEATED, BUSY];

/// What `make model` looks at, too.
pub const LARGE: [Scenario; 4] = [
    Scenario {
        name: "three",
        about: "one order, three requests one after the other",
        requests: &[0, 0, 0],
        one_by_one: true,
        ..PLAIN
    },
    Scenario {
        name: "loads",
        about: "one order, two requests, overwritten by a bulk load and removed",
        units: [2; 3],
        loads: 1,
        removes: true,
        ..PLAIN
    },
    Scenario {
        name: "pays",
        about: "one order, two requests, paid directly and given back",
        units: [2; 3],
        pays: true,
        ..PLAIN
    },
    Scenario { name: "reviews", about: "one order, two requests, its entry of inflight is lost", losses: 1, ..PLAIN },
];

/// The scenario of that name.
pub fn named(name: &str) -> Option<Scenario> {
    SMALL.into_iter().chain(LARGE).find(|scenario| scenario.name == name)
}
