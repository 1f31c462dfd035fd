//! "Settle now" in plain words.

use shardcart_order::settle_now::SettledNow;
use shardcart_schema::order::OrderStatus;

/// What came of it, in plain words.
pub fn words(settled: &SettledNow) -> String {
    match settled {
        SettledNow::Settled { paid: true } => "Settled: the order is paid, and everyone knows.".to_owned(),
        SettledNow::Settled { paid: false } => {
            "Settled: the attempt was given up, and everything it held is free again. The order is open.".to_owned()
        }
        SettledNow::Held { lease_left_ms } => format!(
            "Left alone: the attempt is still its coordinator's for another {:.1} s. Taking it away earlier could only \
             make a checkout fail that may be about to succeed. Ask again then; recovery will have done it by itself.",
            *lease_left_ms as f64 / 1000.0
        ),
        SettledNow::Nothing { status } if OrderStatus::parse(status) == Some(OrderStatus::Paid) => {
            "Nothing to do: the order is paid and settled.".to_owned()
        }
        SettledNow::Nothing { .. } => "Nothing to do: no attempt is under way for this order.".to_owned(),
        SettledNow::Waiting { paid: true } => {
            "The order is paid. A shard that has to be told does not answer; recovery goes on until it does.".to_owned()
        }
        SettledNow::Waiting { paid: false } => {
            "The attempt is given up and will take nothing. A shard that has to give something back does not \
             answer; recovery goes on until it does."
                .to_owned()
        }
        SettledNow::Unknown => "There is no such order.".to_owned(),
        SettledNow::Newer => "Another release wrote this order; this one leaves it alone.".to_owned(),
    }
}
