//! The rules that an order and its cart keep to, whatever lies beside them.

use shardcart_schema::limit::{LINES_MAX, WAIT_MAX_MS};
use shardcart_schema::order::{OrderStatus, RefusalWord};
use shardcart_schema::record::{Number, Record, field};
use shardcart_store::faults::{Fault, Faults, told};
use shardcart_types::amount::AMOUNT_MAX;
use shardcart_types::ids::{self, minted_ms, minted_shard};

/// What is wrong with an order on a shard.
pub(super) fn faults(shard: u16, id: &str, order: &Record<'_>, lines: &[(String, i64, i64)]) -> Vec<Fault> {
    let mut faults = Faults::of(order);
    faults.amount(order, field::TOTAL);
    faults.id(field::USER, order.text(field::USER));
    faults.incarnation(field::INCARNATION, id, shard, order.incarnation());
    attempt(&mut faults, shard, id, order);
    cart(&mut faults, lines);
    faults.into_list()
}

/// The fields of the current or last attempt. Before the first there is no deadline, and `tx` is the order's beginning.
fn attempt(faults: &mut Faults, shard: u16, id: &str, order: &Record<'_>) {
    let (tx, refusal) = (order.text(field::TX), order.text(field::REFUSAL));
    let status = OrderStatus::parse(order.text(field::STATUS));
    let first = if minted_shard(id).is_some() { id } else { order.incarnation() };
    match (order.lies(field::DEADLINE), order.lies(field::LEASE)) {
        (Number::Absent, Number::Absent) => {
            faults.expect(tx == first, field::TX, format_args!("{first}: there was no attempt"), tx);
            faults.expect(refusal.is_empty(), field::REFUSAL, "none: there was no attempt", refusal);
            let is_open = status == Some(OrderStatus::Open);
            faults.expect(is_open, field::DEADLINE, "a moment: there was an attempt", "none");
            return;
        }
        (Number::Amount(deadline), Number::Amount(lease)) => {
            let is_right = lease < deadline && deadline - lease < WAIT_MAX_MS;
            faults.expect(is_right, field::DEADLINE, format_args!("soon after the lease, {lease}"), deadline);
        }
        (deadline, lease) => {
            let found = format!("{} and {}", told(deadline), told(lease));
            faults.expect(false, "deadline and lease", "two moments, or none", found);
        }
    }
    faults.minted(field::TX, shard, tx);
    faults.expect(minted_ms(tx) > minted_ms(first), field::TX, format_args!("an id minted later than {first}"), tx);
    match status {
        Some(OrderStatus::Pending | OrderStatus::Paid) => {
            faults.expect(refusal.is_empty(), field::REFUSAL, "none: the attempt was not given up", refusal);
        }
        _ => faults.expect(is_refusal(refusal), field::REFUSAL, "why the attempt was given up", refusal),
    }
}

fn is_refusal(refusal: &str) -> bool {
    match refusal.split_once(' ') {
        None => RefusalWord::parse(refusal)
            .is_some_and(|word| !matches!(word, RefusalWord::UnknownItem | RefusalWord::InsufficientStock)),
        Some((word, item)) => {
            matches!(RefusalWord::parse(word), Some(RefusalWord::UnknownItem | RefusalWord::InsufficientStock))
                && ids::check(item).is_ok()
        }
    }
}

fn cart(faults: &mut Faults, lines: &[(String, i64, i64)]) {
    faults.expect(lines.len() <= LINES_MAX, "cart", format_args!("at most {LINES_MAX} lines"), lines.len());
    let in_range = |least: i64, number: i64| number >= least && number.unsigned_abs() <= AMOUNT_MAX;
    for (item, units, sum) in lines {
        faults.id("item of the cart", item);
        faults.expect(in_range(1, *units), "units of the cart", "1 to 2^53-1", units);
        faults.expect(in_range(0, *sum), "sum of the cart", "0 to 2^53-1", sum);
    }
}

#[cfg(test)]
mod tests {
    use shardcart_schema::record::{Found, ORDER};
    use shardcart_types::ids::mint;

    use super::*;

    const NONE: f64 = f64::NAN;

    fn fields(id: &str, numbers: [f64; 3], texts: [&str; 4], incarnation: &str) -> Vec<&'static str> {
        let text = |text: &str| [&[u8::try_from(text.len()).unwrap()], text.as_bytes()].concat();
        let place = u8::try_from(ORDER.size(&texts)).unwrap();
        let (numbers, texts) = (numbers.map(f64::to_le_bytes).concat(), texts.map(text).concat());
        let bytes = [&[1, place][..], &numbers, &texts, incarnation.as_bytes()].concat();
        let Found::Record(order) = ORDER.read(Some(&bytes)) else { panic!("it is a record") };
        faults(3, id, &order, &[]).into_iter().map(|fault| fault.field).collect()
    }

    #[test]
    fn an_order_of_each_kind_has_no_faults() {
        let (id, tx) = (mint(3, 5), mint(3, 6));
        assert!(fields(&id, [0.0, NONE, NONE], ["open", &id, "ann", ""], "").is_empty());
        assert!(fields("7", [0.0, NONE, NONE], ["open", &id, "ann", ""], &id).is_empty());
        for (status, refusal) in [
            ("open", "unknown_user"),
            ("open", "insufficient_stock a"),
            ("pending", ""),
            ("aborting", "checkout_aborted"),
            ("paid", ""),
        ] {
            assert!(fields(&id, [9.0, 3_000.0, 2_000.0], [status, &tx, "ann", refusal], "").is_empty(), "{status}");
        }
    }

    #[test]
    fn each_field_of_an_order_has_a_rule() {
        let (id, tx, elsewhere) = (mint(3, 5), mint(3, 6), mint(2, 6));
        let moments = [9.0, 3_000.0, 2_000.0];
        for (numbers, texts, wanted) in [
            ([0.5, NONE, NONE], ["open", &id, "ann", ""], "total"),
            ([NONE, NONE, NONE], ["open", &id, "ann", ""], "total"),
            ([9.0, NONE, 1.0], ["open", &tx, "ann", "unknown_user"], "deadline and lease"),
            ([9.0, 2_000.0, 2_000.0], ["open", &tx, "ann", "unknown_user"], "deadline"),
            ([9.0, 242_000.0, 2_000.0], ["open", &tx, "ann", "unknown_user"], "deadline"),
            ([9.0, NONE, NONE], ["open", &tx, "ann", ""], "tx"),
            (moments, ["paid", &id, "ann", ""], "tx"),
            (moments, ["paid", &elsewhere, "ann", ""], "tx"),
            (moments, ["paid", &tx, "", ""], "user"),
            (moments, ["paid", &tx, "ann", "unknown_user"], "refusal"),
            (moments, ["aborting", &tx, "ann", ""], "refusal"),
            (moments, ["open", &tx, "ann", "unknown_user a"], "refusal"),
            (moments, ["open", &tx, "ann", "insufficient_stock"], "refusal"),
            ([0.0, NONE, NONE], ["paid", &id, "ann", ""], "deadline"),
        ] {
            assert_eq!(fields(&id, numbers, texts, ""), [wanted], "{numbers:?} {texts:?}");
        }
        assert_eq!(fields(&id, [0.0, NONE, NONE], ["open", &id, "ann", ""], &id), ["incarnation"]);
        assert_eq!(fields("7", [0.0, NONE, NONE], ["open", &elsewhere, "ann", ""], &elsewhere), ["incarnation"]);
    }

    #[test]
    fn each_part_of_a_cart_has_a_rule() {
        let wrong = |item: &str, units, sum| {
            let mut faults = Faults::default();
            cart(&mut faults, &[(item.to_owned(), units, sum)]);
            faults.into_list().into_iter().map(|fault| fault.field).collect::<Vec<_>>()
        };
        assert!(wrong("7", 1, 0).is_empty());
        assert_eq!(wrong("a:b", 1, 0), ["item of the cart"]);
        assert_eq!(wrong("7", 0, 0), ["units of the cart"]);
        assert_eq!(wrong("7", 1, 1 << 53), ["sum of the cart"]);
    }
}
