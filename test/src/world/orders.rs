//! Orders that were placed, and all that clients were told about them.

use std::collections::BTreeMap;
use std::time::Instant;

use shardcart_harness::front::Answer;
use shardcart_harness::http::NoAnswer;

/// What a client may conclude from what it was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// 2xx: it is paid.
    Paid,
    /// 4xx with this code: what the request tried or waited for took nothing.
    Refused(String),
    /// 429: it says nothing.
    Overloaded,
    /// 5xx, or nothing at all; in words.
    Unknown(String),
}

impl Outcome {
    /// Of an answer, or of none.
    pub fn of(answer: &Result<Answer, NoAnswer>) -> Outcome {
        match answer {
            Ok(answer) => match answer.status {
                200..300 => Outcome::Paid,
                429 => Outcome::Overloaded,
                400..500 => Outcome::Refused(answer.code().to_owned()),
                status => Outcome::Unknown(format!("{status} {}", answer.code()).trim_end().to_owned()),
            },
            Err(_) => Outcome::Unknown("no answer".to_owned()),
        }
    }

    /// In a word or two, for tables.
    pub fn word(&self) -> String {
        match self {
            Outcome::Paid => "200".to_owned(),
            Outcome::Refused(code) => code.clone(),
            Outcome::Overloaded => "429".to_owned(),
            Outcome::Unknown(word) => word.clone(),
        }
    }

    /// Whether a client that wants this order has to ask again.
    pub fn is_open(&self) -> bool {
        match self {
            Outcome::Paid => false,
            Outcome::Refused(code) => code == "checkout_aborted",
            Outcome::Overloaded | Outcome::Unknown(_) => true,
        }
    }
}

/// What one request was told, and when.
#[derive(Debug, Clone)]
pub struct Told {
    /// Before the request was sent.
    pub sent: Instant,
    /// When its answer was there, or the client gave up.
    pub heard: Instant,
    /// What it was.
    pub outcome: Outcome,
}

/// An order whose cart is known for certain, and what was told of its checkouts.
#[derive(Debug, Clone)]
pub struct Placed {
    /// Its id.
    pub order: String,
    /// Whose it is.
    pub user: String,
    /// Units by item.
    pub lines: BTreeMap<String, u64>,
    /// What it costs.
    pub total: u64,
    /// The answers to its checkouts.
    pub told: Vec<Told>,
    /// The answers to `pay` for this order, if that was tried.
    pub paid_directly: Vec<Outcome>,
    /// Whether giving back a direct payment was tried.
    pub given_back: bool,
}
