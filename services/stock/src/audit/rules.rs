//! The rules that an item keeps to, whatever lies beside it.

use shardcart_schema::record::{Found, ITEM, field};
use shardcart_store::faults::{Fault, Faults};
use shardcart_types::ids::minted_shard;

/// The fewest digits of an item's incarnation, which is a moment in microseconds: that of September 2001.
const DIGITS_MIN: usize = 16;

/// What is wrong with the record of an item; nothing with one that cannot be read at all.
pub fn faults(id: &str, bytes: Option<&[u8]>) -> Vec<Fault> {
    let Found::Record(item) = ITEM.read(bytes) else { return Vec::new() };
    let mut faults = Faults::of(&item);
    for number in [field::STOCK, field::HELD, field::NET, field::PRICE] {
        faults.amount(&item, number);
    }
    faults.amount_or_none(&item, field::BEFORE);
    if let (Some(stock), Some(held), Some(net)) =
        (item.amount(field::STOCK), item.amount(field::HELD), item.amount(field::NET))
    {
        faults.expect(stock + held <= net, field::NET, format_args!("stock {stock} + held {held}, or more"), net);
    }
    let incarnation = item.incarnation();
    if minted_shard(id).is_some() {
        faults.expect(incarnation.is_empty(), field::INCARNATION, "none: the id is minted", incarnation);
    } else {
        // One that a client has named itself has none.
        let is_moment = incarnation.is_empty()
            || incarnation.len() >= DIGITS_MIN && incarnation.bytes().all(|byte| byte.is_ascii_digit());
        faults.expect(is_moment, field::INCARNATION, "none, or a moment in microseconds", incarnation);
    }
    faults.into_list()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(numbers: [f64; 5], incarnation: &str) -> Vec<u8> {
        let numbers = numbers.map(f64::to_le_bytes).concat();
        [&[1, 42][..], &numbers, incarnation.as_bytes()].concat()
    }

    fn fields(id: &str, bytes: &[u8]) -> Vec<&'static str> {
        faults(id, Some(bytes)).into_iter().map(|fault| fault.field).collect()
    }

    #[test]
    fn an_item_of_each_kind_has_no_faults() {
        let minted = shardcart_types::ids::mint(1, 5);
        assert!(fields(&minted, &item([3.0, 2.0, 7.0, f64::NAN, 5.0], "")).is_empty());
        assert!(fields("7", &item([3.0, 2.0, 5.0, 12.0, 0.0], "1795000000000000")).is_empty());
        assert!(faults("7", None).is_empty() && faults("7", Some(b"")).is_empty());
    }

    #[test]
    fn each_field_of_an_item_has_a_rule() {
        let minted = shardcart_types::ids::mint(1, 5);
        for (place, name) in [(0, "stock"), (1, "held"), (2, "net"), (3, "before"), (4, "price")] {
            for other in [-1.0, 0.5, f64::INFINITY, 9_007_199_254_740_992.0, -0.0] {
                let mut numbers = [0.0, 0.0, 0.0, f64::NAN, 5.0];
                numbers[place] = other;
                assert_eq!(fields(&minted, &item(numbers, "")), [name], "{other}");
            }
        }
        assert_eq!(fields(&minted, &item([3.0, 2.0, 4.0, f64::NAN, 5.0], "")), ["net"]);
        assert_eq!(fields(&minted, &item([0.0, 0.0, 0.0, f64::NAN, f64::NAN], "1")), ["price", "incarnation"]);
        assert!(fields("7", &item([0.0, 0.0, 0.0, f64::NAN, 1.0], "")).is_empty(), "a client has named it");
        assert_eq!(fields("7", &item([0.0, 0.0, 0.0, f64::NAN, 1.0], "179")), ["incarnation"]);
    }
}
