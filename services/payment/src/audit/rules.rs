//! The rules that a user and a payment keep to, whatever lies beside them.

use shardcart_schema::incarnation;
use shardcart_schema::payment::{PaidBy, PaymentState};
use shardcart_schema::record::{Found, Number, PAYMENT, Record, USER, field};
use shardcart_store::faults::{Fault, Faults, told};
use shardcart_types::ids::minted_shard;

/// An id, and the number of the shard that owns it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner<'a> {
    /// The id.
    pub id: &'a str,
    /// The shard.
    pub shard: u16,
}

/// What is wrong with the record of a user; nothing with one that cannot be read at all.
pub fn user_faults(user: Owner<'_>, bytes: Option<&[u8]>) -> Vec<Fault> {
    let Found::Record(record) = USER.read(bytes) else { return Vec::new() };
    let mut faults = Faults::of(&record);
    for number in [field::CREDIT, field::HELD, field::NET] {
        faults.amount(&record, number);
    }
    faults.amount_or_none(&record, field::BEFORE);
    if let (Some(credit), Some(held), Some(net)) =
        (record.amount(field::CREDIT), record.amount(field::HELD), record.amount(field::NET))
    {
        let before = record.amount(field::BEFORE).unwrap_or(0);
        let least = format_args!("credit {credit} + held {held} + before {before}, or more");
        faults.expect(credit + held + before <= net, field::NET, least, net);
    }
    faults.incarnation(field::INCARNATION, user.id, user.shard, record.incarnation());
    faults.into_list()
}

/// What is wrong with the record of a payment; nothing with one that cannot be read at all.
pub fn payment_faults(user: Owner<'_>, order: Owner<'_>, bytes: Option<&[u8]>) -> Vec<Fault> {
    let Found::Record(record) = PAYMENT.read(bytes) else { return Vec::new() };
    let mut faults = Faults::of(&record);
    faults.amount(&record, field::CHARGED);
    let (state, by) = (record.text(field::STATE), record.text(field::BY));
    match (PaymentState::parse(state), PaidBy::parse(by)) {
        (Some(PaymentState::Reserved | PaymentState::Charged), Some(PaidBy::Checkout)) => {
            refunded_by_checkout(&mut faults, &record);
            faults.amount_or_none(&record, field::WAS);
        }
        (Some(state @ (PaymentState::Charged | PaymentState::Cancelled)), Some(PaidBy::Pay)) => {
            let all = if state == PaymentState::Cancelled { record.lies(field::CHARGED) } else { Number::Amount(0) };
            let refunded = record.lies(field::REFUNDED);
            faults.expect(refunded == all, field::REFUNDED, told(all), told(refunded));
            faults.none(&record, field::WAS);
        }
        // Which word is none, or which two do not go together.
        _ => {
            let expected = "reserved or charged by checkout, or charged or cancelled by pay";
            faults.expect(false, field::STATE, expected, format!("{state} by {by}"));
        }
    }
    let (of_user, of_order) = incarnation::split(record.incarnation()).unwrap_or_default();
    faults.incarnation("incarnation of the user", user.id, user.shard, of_user);
    // What was paid directly for an order that was not there has none of an order.
    let may_be_none = by == PaidBy::Pay.as_str() || minted_shard(order.id).is_some();
    if !(may_be_none && of_order.is_empty()) {
        faults.incarnation("incarnation of the order", order.id, order.shard, of_order);
    }
    faults.into_list()
}

/// What a checkout has charged is not given back by anything yet: whatever does that tells here why it may.
fn refunded_by_checkout(faults: &mut Faults, record: &Record<'_>) {
    let refunded = record.lies(field::REFUNDED);
    faults.expect(refunded == Number::Amount(0), field::REFUNDED, "0 of what a checkout charges", told(refunded));
}

#[cfg(test)]
mod tests {
    use shardcart_types::ids::mint;

    use super::*;

    const ANN: Owner<'_> = Owner { id: "ann", shard: 1 };
    const SEVEN: Owner<'_> = Owner { id: "7", shard: 0 };

    fn payment(numbers: [f64; 3], state: &str, by: &str, incarnation: &str) -> Vec<u8> {
        let numbers = numbers.map(f64::to_le_bytes).concat();
        let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
        let place = u8::try_from(PAYMENT.size(&[state, by])).unwrap();
        [&[1, place][..], &numbers, &text(state), &text(by), incarnation.as_bytes()].concat()
    }

    fn fields(bytes: &[u8]) -> Vec<&'static str> {
        payment_faults(ANN, SEVEN, Some(bytes)).into_iter().map(|fault| fault.field).collect()
    }

    fn incarnations() -> String {
        incarnation::pair(&mint(1, 5), &mint(0, 5))
    }

    #[test]
    fn a_payment_of_each_kind_has_no_faults() {
        let (of, none) = (incarnations(), f64::NAN);
        for (numbers, state, by) in [
            ([5.0, 0.0, none], "reserved", "checkout"),
            ([5.0, 0.0, 7.0], "charged", "checkout"),
            ([5.0, 0.0, none], "charged", "pay"),
            ([5.0, 5.0, none], "cancelled", "pay"),
        ] {
            assert!(fields(&payment(numbers, state, by, &of)).is_empty(), "{state} by {by}");
        }
        let before_the_order = format!("{}/", mint(1, 5));
        assert!(fields(&payment([5.0, 0.0, none], "charged", "pay", &before_the_order)).is_empty());
    }

    #[test]
    fn each_field_of_a_payment_has_a_rule() {
        let (of, none) = (incarnations(), f64::NAN);
        for (numbers, state, by, wanted) in [
            ([5.0, 1.0, none], "charged", "checkout", "refunded"),
            ([5.0, none, none], "reserved", "checkout", "refunded"),
            ([5.0, 4.0, none], "cancelled", "pay", "refunded"),
            ([5.0, 0.0, 5.0], "charged", "pay", "was"),
            ([5.0, 0.0, 0.5], "charged", "checkout", "was"),
            ([-5.0, 0.0, none], "charged", "checkout", "charged"),
            ([5.0, 0.0, none], "reserved", "pay", "state"),
            ([5.0, 0.0, none], "", "pay", "state"),
        ] {
            assert_eq!(fields(&payment(numbers, state, by, &of)), [wanted], "{numbers:?} {state} by {by}");
        }
        let (ann, seven) = (mint(1, 5), mint(0, 5));
        for (of, wanted) in [
            (format!("{seven}/{seven}"), "incarnation of the user"),
            (format!("/{seven}"), "incarnation of the user"),
            (format!("{ann}/{ann}"), "incarnation of the order"),
            (format!("{ann}/"), "incarnation of the order"),
        ] {
            assert_eq!(fields(&payment([5.0, 0.0, none], "charged", "checkout", &of)), [wanted], "{of}");
        }
    }

    #[test]
    fn each_field_of_a_user_has_a_rule() {
        let user = |numbers: [f64; 4], incarnation: &str| {
            let bytes = [&[1, 34][..], &numbers.map(f64::to_le_bytes).concat(), incarnation.as_bytes()].concat();
            let faults = user_faults(ANN, Some(&bytes));
            faults.into_iter().map(|fault| fault.field).collect::<Vec<_>>()
        };
        let of = mint(1, 5);
        assert!(user([1.0, 2.0, 6.0, 3.0], &of).is_empty());
        assert_eq!(user([1.0, 2.0, 5.0, 3.0], &of), ["net"]);
        for (place, name) in [(0, "credit"), (1, "held"), (2, "net"), (3, "before")] {
            let mut numbers = [0.0, 0.0, 0.0, f64::NAN];
            numbers[place] = -1.0;
            assert_eq!(user(numbers, &of), [name]);
        }
        assert_eq!(user([0.0, 0.0, 0.0, f64::NAN], &mint(2, 5)), ["incarnation"]);
    }
}
