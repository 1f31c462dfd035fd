//! Payments: the states of a user's payment for an order, and who made it.

use crate::reply::Reply;
use crate::words::words;

words! {
    /// The state of a payment, as it stands in the payment's record.
    PaymentState {
        /// An attempt holds it.
        Reserved = "reserved",
        /// It was taken, for good.
        Charged = "charged",
        /// It was given back.
        Cancelled = "cancelled",
    }
}

words! {
    /// Who made a payment, as it stands in the payment's record.
    PaidBy {
        /// A checkout.
        Checkout = "checkout",
        /// The endpoint `pay`.
        Pay = "pay",
    }
}

impl PaymentState {
    /// Reads what `status.lua` says of a payment: its state in capitals; `None`: it is no state.
    pub fn of_reply(reply: Reply) -> Option<Self> {
        match reply {
            Reply::Reserved => Some(PaymentState::Reserved),
            Reply::Charged => Some(PaymentState::Charged),
            Reply::Cancelled => Some(PaymentState::Cancelled),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_in_capitals_is_a_reply() {
        for state in PaymentState::ALL {
            let reply = Reply::parse(&state.as_str().to_uppercase());
            assert_eq!(reply.and_then(PaymentState::of_reply), Some(*state));
        }
        assert_eq!(PaymentState::of_reply(Reply::None), None);
    }
}
