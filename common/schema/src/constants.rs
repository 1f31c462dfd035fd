//! Constants of scripts: `ORDER.STATUS_AT` in a script is put in as `27` when it is loaded, `STATUS.PAID` as `'paid'`.
//!
//! A constant is two names in capitals with a dot between them. What a name stands for is computed here from the
//! layouts, words and limits of this crate. These endings recur:
//!
//! | ending | stands for |
//! |---|---|
//! | `_AT`, `_END` | the place of a field's first and last byte; places count from 1, as in Lua |
//! | `_OFFSET` | the bytes before a field, as `SETRANGE` takes them |
//! | `SIZE`, `SIZE_…` | the bytes before the incarnation, where texts that are not named are empty |
//! | `BEHIND_…` | the place behind the first text, where that is this word |
//! | `_WITH` | the word and a space: something follows |
//! | `_TEXT`, `_LENGTH` | the word as it stands in a record, behind its length in one byte; the length |
//! | `_LONGER_THAN_…` | how many bytes one word is longer than another |
//! | `FORMAT`, `TEXTS_FORMAT` | how `struct` reads all fields of a record, or its texts |

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::LazyLock;

use crate::key::Kind;
use crate::order::{CartLine, OrderStatus};
use crate::payment::{PaidBy, PaymentState};
use crate::record::{self, Layout};
use crate::reply::{self, Reply};
use crate::{idempotency, identity, incarnation, key, limit, minted, product, reservation_record, unique};

static ALL: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let mut table = Table(BTreeMap::new());
    records(&mut table);
    reservations(&mut table);
    products(&mut table);
    words(&mut table);
    limits(&mut table);
    table.0
});

/// All constants, and what stands for them in the text that reaches Redis.
pub fn all() -> &'static BTreeMap<String, String> {
    &ALL
}

fn records(table: &mut Table) {
    table.number("RECORD.VERSION", record::VERSION);
    table.number("RECORD.HEAD_SIZE", record::HEAD_SIZE);
    table.number("RECORD.INCARNATION_PLACE_AT", record::HEAD_SIZE);
    table.number("RECORD.NUMBERS_AT", record::HEAD_SIZE + 1);
    table.number("RECORD.NUMBER_SIZE", record::NUMBER_SIZE);
    table.word("RECORD.INCARNATION", record::field::INCARNATION);
    table.word("RECORD.V", record::field::V);
    table.layout("ITEM", &record::ITEM);
    table.layout("USER", &record::USER);
    table.layout("PAYMENT", &record::PAYMENT);
    table.layout("ORDER", &record::ORDER);
    for status in OrderStatus::ALL.iter().map(|status| status.as_str()) {
        table.first_text("ORDER", &record::ORDER, status);
        table.number(&format!("ORDER.SIZE_{}", capitals(status)), record::ORDER.size(&[status]));
    }
    for state in PaymentState::ALL.iter().map(|state| state.as_str()) {
        table.first_text("PAYMENT", &record::PAYMENT, state);
        for by in PaidBy::ALL.iter().map(|by| by.as_str()) {
            let name = format!("{}_BY_{}", capitals(state), capitals(by));
            table.number(&format!("PAYMENT.SIZE_{name}"), record::PAYMENT.size(&[state, by]));
            table.text(&format!("PAYMENT.{name}"), format!("'{}{}'", in_record(state), in_record(by)));
        }
    }
    table.word("CART.LINE_FORMAT", CartLine::FORMAT);
    table.word("CART.LINE_PATTERN", CartLine::PATTERN);
    table.word("CART.NO_UNITS", CartLine::NO_UNITS);
    table.word("INCARNATION.ANY", incarnation::ANY);
    table.word("INCARNATION.SEPARATOR", incarnation::SEPARATOR);
    for field in [
        identity::DATA_SET,
        identity::SERVICE,
        identity::SHARD,
        identity::TAG,
        identity::FOUNDING,
        identity::SCHEMA,
        identity::CURRENCY,
        identity::MEMBERS,
        identity::READ,
        identity::WRITE,
    ] {
        table.word(&format!("IDENTITY.{}", capitals(field)), field);
    }
}

fn reservations(table: &mut Table) {
    table.number("RESERVATION.KIND_AT", reservation_record::KIND_OFFSET + 1);
    table.word("RESERVATION.CREDIT", char::from(reservation_record::CREDIT));
    table.number("RESERVATION.LINES_AT", reservation_record::BODY_OFFSET + 1);
    table.number("RESERVATION.FIRST_LINE_AT", reservation_record::FIRST_LINE_OFFSET + 1);
    table.number("RESERVATION.AMOUNT_AT", reservation_record::BODY_OFFSET + 1);
    table.number("RESERVATION.USER_AT", reservation_record::USER_OFFSET + 1);
    table.number("TOMBSTONE.LETTERS_FROM", reply::TOMBSTONE_LETTERS_FROM);
}

fn products(table: &mut Table) {
    table.number("PRODUCT.VERSION", product::VERSION);
    table.number("PRODUCT.REVISION_AT", product::REVISION_OFFSET + 1);
    table.number("PRODUCT.CREATED_AT", product::CREATED_OFFSET + 1);
    table.number("PRODUCT.BODY_AT", product::BODY_OFFSET + 1);
    table.number("PRODUCT.ACTIVE", product::Status::Active.byte());
    table.word("PRODUCT.MOMENT_FORMAT", product::MOMENT_FORMAT);
    table.number("PRODUCT.MOMENT_END", product::MOMENT_DIGITS);
    table.number("PRODUCT.ID_BEHIND_MOMENT_AT", product::MOMENT_DIGITS + 2);
    table.word("PRODUCT.BY_CREATION", key::BY_CREATION);
    table.word("UNIQUE.VERSION", unique::VERSION);
    table.word("UNIQUE.CLAIMED", unique::State::Claimed);
    table.word("UNIQUE.HELD", unique::State::Held);
}

fn words(table: &mut Table) {
    table.states("STATUS", &OrderStatus::ALL.iter().map(|status| status.as_str()).collect::<Vec<_>>());
    table.states("STATE", &PaymentState::ALL.iter().map(|state| state.as_str()).collect::<Vec<_>>());
    for by in PaidBy::ALL {
        table.word(&format!("BY.{}", capitals(by.as_str())), by);
    }
    for reply in Reply::ALL {
        table.word(&format!("REPLY.{reply}"), reply);
        table.word(&format!("REPLY.{reply}_WITH"), format_args!("{reply} "));
    }
    for kind in Kind::ALL {
        table.word(&format!("KEY.{}", capitals(kind.as_str())), kind);
    }
}

fn limits(table: &mut Table) {
    table.number("LIMIT.SETTLED_AFTER_MS", limit::SETTLED_AFTER_MS);
    table.number("LIMIT.IDEMPOTENCY_LASTS_MS", limit::IDEMPOTENCY_LASTS_MS);
    table.number("LIMIT.CLAIM_LASTS_MS", limit::CLAIM_LASTS_MS);
    table.number("LIMIT.CLAIM_GRACE_MS", limit::CLAIM_GRACE_MS);
    table.number("LIMIT.PAGE_BYTES_MAX", limit::PAGE_BYTES_MAX);
    table.word("IDEMPOTENCY.VERSION", idempotency::VERSION);
    table.word("IDEMPOTENCY.EARLIER", idempotency::EARLIER);
    table.number("LIMIT.IDEMPOTENCY_COUNTED_MS", limit::IDEMPOTENCY_COUNTED_MS);
    table.number("LIMIT.IDEMPOTENCY_ANSWER_MAX", limit::IDEMPOTENCY_ANSWER_MAX);
    table.number("MINTED.MS_HIGH_END", minted::MS_HIGH_DIGITS);
    table.number("MINTED.MS_LOW_AT", minted::MS_LOW_OFFSET + 1);
    table.number("MINTED.MS_LOW_END", minted::REST_OFFSET);
    table.number("MINTED.REST_AT", minted::REST_OFFSET + 1);
    table.number("MINTED.MS_LOW_VALUES", minted::MS_LOW_VALUES);
    let (high, low) = (minted::MS_HIGH_DIGITS, minted::MS_LOW_DIGITS);
    table.word("MINTED.MS_FORMAT", format_args!("%0{high}x-%0{low}x"));
}

struct Table(BTreeMap<String, String>);

impl Table {
    fn text(&mut self, name: &str, text: String) {
        let other = self.0.insert(name.to_owned(), text);
        assert!(other.is_none(), "two constants are called {name}");
    }

    fn number(&mut self, name: &str, number: impl Display) {
        self.text(name, number.to_string());
    }

    fn word(&mut self, name: &str, word: impl Display) {
        self.text(name, format!("'{word}'"));
    }

    /// The fields of a kind of record: their names, and the places of those that have one that is always the same.
    fn layout(&mut self, of: &str, layout: &Layout) {
        self.text(&format!("{of}.NUMBERS"), list(layout.numbers()));
        self.text(&format!("{of}.TEXTS"), list(layout.texts()));
        let texts = "Bc0".repeat(layout.texts().len());
        self.word(&format!("{of}.FORMAT"), format_args!("<{}{texts}", "d".repeat(layout.numbers().len())));
        self.word(&format!("{of}.TEXTS_FORMAT"), format_args!("<{texts}"));
        for (place, field) in layout.numbers().iter().enumerate() {
            let (name, offset) = (format!("{of}.{}", capitals(field)), layout.number_offset(place));
            self.word(&name, field);
            self.number(&format!("{name}_OFFSET"), offset);
            self.number(&format!("{name}_AT"), offset + 1);
            self.number(&format!("{name}_END"), offset + record::NUMBER_SIZE);
        }
        self.number(&format!("{of}.NUMBERS_END"), layout.texts_offset());
        for field in layout.texts() {
            self.word(&format!("{of}.{}", capitals(field)), field);
        }
        match layout.texts() {
            [] => {
                self.number(&format!("{of}.SIZE"), layout.size(&[]));
                self.number(&format!("{of}.INCARNATION_AT"), layout.size(&[]) + 1);
            }
            [first, ..] => self.number(&format!("{of}.{}_AT", capitals(first)), layout.texts_offset() + 1),
        }
    }

    /// The place behind the first text of a kind of record, where that is this word.
    fn first_text(&mut self, of: &str, layout: &Layout, word: &str) {
        self.number(&format!("{of}.BEHIND_{}", capitals(word)), layout.texts_offset() + 1 + word.len() + 1);
    }

    /// States, which stand in records.
    fn states(&mut self, of: &str, states: &[&str]) {
        for state in states {
            let name = format!("{of}.{}", capitals(state));
            self.word(&name, state);
            self.word(&format!("{name}_WITH"), format_args!("{state} "));
            self.word(&format!("{name}_TEXT"), in_record(state));
            self.number(&format!("{name}_LENGTH"), state.len());
            for shorter in states.iter().filter(|other| other.len() < state.len()) {
                let difference = state.len() - shorter.len();
                self.number(&format!("{name}_LONGER_THAN_{}", capitals(shorter)), difference);
            }
        }
    }
}

/// A text as it stands in a record: behind its length in one byte. Lua reads `\4` as the byte 4.
fn in_record(text: &str) -> String {
    format!("\\{}{text}", text.len())
}

fn capitals(word: &str) -> String {
    word.to_uppercase()
}

/// A list of texts in Lua.
fn list(texts: &[&str]) -> String {
    if texts.is_empty() {
        return "{}".to_owned();
    }
    let quoted: Vec<String> = texts.iter().map(|text| format!("'{text}'")).collect();
    format!("{{ {} }}", quoted.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constants_are_computed_from_the_layouts() {
        for (name, text) in [
            ("ORDER.TOTAL_AT", "3"),
            ("ORDER.TOTAL_OFFSET", "2"),
            ("ORDER.NUMBERS_END", "26"),
            ("ORDER.STATUS_AT", "27"),
            ("ORDER.BEHIND_PENDING", "35"),
            ("ORDER.SIZE_PENDING", "37"),
            ("ORDER.FORMAT", "'<dddBc0Bc0Bc0Bc0'"),
            ("ORDER.NUMBERS", "{ 'total', 'deadline', 'lease' }"),
            ("ITEM.TEXTS", "{}"),
            ("ITEM.SIZE", "42"),
            ("USER.INCARNATION_AT", "35"),
            ("PAYMENT.SIZE_RESERVED_BY_CHECKOUT", "44"),
            ("PAYMENT.CANCELLED_BY_PAY", r"'\9cancelled\3pay'"),
            ("STATUS.PAID", "'paid'"),
            ("STATUS.PAID_TEXT", r"'\4paid'"),
            ("STATUS.PENDING_LONGER_THAN_PAID", "3"),
            ("REPLY.BUSY_WITH", "'BUSY '"),
            ("RESERVATION.FIRST_LINE_AT", "13"),
            ("LIMIT.SETTLED_AFTER_MS", "60000"),
        ] {
            assert_eq!(all().get(name).map(String::as_str), Some(text), "{name}");
        }
    }
}
