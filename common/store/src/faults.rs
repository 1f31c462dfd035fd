//! What is wrong with a single record: the rules that its fields keep to, whatever lies beside it. The audit asks;
//! nobody else does, because a script writes nothing that breaks them.

use std::fmt::Display;

use shardcart_schema::record::{Number, Record};
use shardcart_types::ids::{self, minted_shard};

/// A field that no release writes like that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The field.
    pub field: &'static str,
    /// What it would have to be.
    pub expected: String,
    /// What it is.
    pub found: String,
}

/// The faults of one record.
#[derive(Debug, Default)]
pub struct Faults(Vec<Fault>);

impl Faults {
    /// Those of a record, so far as they are the same for all kinds: where the incarnation begins.
    pub fn of(record: &Record<'_>) -> Self {
        let mut faults = Faults::default();
        let (told, is) = record.places();
        faults.expect(told == is, "the place of the incarnation", is, told);
        faults
    }

    /// Notes a field that is not as it should be.
    pub fn expect(&mut self, is_right: bool, field: &'static str, expected: impl Display, found: impl Display) {
        if !is_right {
            self.0.push(Fault { field, expected: expected.to_string(), found: found.to_string() });
        }
    }

    /// A number is an amount.
    pub fn amount(&mut self, record: &Record<'_>, field: &'static str) {
        let number = record.lies(field);
        self.expect(matches!(number, Number::Amount(_)), field, "a whole number from 0 to 2^53-1", told(number));
    }

    /// A number is an amount, or is absent.
    pub fn amount_or_none(&mut self, record: &Record<'_>, field: &'static str) {
        let number = record.lies(field);
        let is_right = !matches!(number, Number::Other(_));
        self.expect(is_right, field, "a whole number from 0 to 2^53-1, or none", told(number));
    }

    /// A number is absent.
    pub fn none(&mut self, record: &Record<'_>, field: &'static str) {
        let number = record.lies(field);
        self.expect(number == Number::Absent, field, "none", told(number));
    }

    /// The incarnation of what has this id: none of a minted id, which is never given twice; of another, an id that was
    /// minted on the shard of the record.
    pub fn incarnation(&mut self, field: &'static str, id: &str, shard: u16, incarnation: &str) {
        if minted_shard(id).is_some() {
            self.expect(incarnation.is_empty(), field, "none: the id is minted", incarnation);
        } else {
            self.minted(field, shard, incarnation);
        }
    }

    /// An id that was minted on a shard.
    pub fn minted(&mut self, field: &'static str, shard: u16, id: &str) {
        self.expect(minted_shard(id) == Some(shard), field, format_args!("an id minted on shard {shard}"), id);
    }

    /// A text is an id.
    pub fn id(&mut self, field: &'static str, id: &str) {
        self.expect(ids::check(id).is_ok(), field, "an id", id);
    }

    /// All that was noted.
    pub fn into_list(self) -> Vec<Fault> {
        self.0
    }
}

/// A number for people.
pub fn told(number: Number) -> String {
    match number {
        Number::Absent => "none".to_owned(),
        Number::Amount(amount) => amount.to_string(),
        Number::Other(number) => format!("{number:?}"),
    }
}
