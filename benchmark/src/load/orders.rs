//! Which order is checked out next, and which have been answered as paid.

use std::cell::{Cell, RefCell};

/// How the next order is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Pick {
    /// Each order once, one after another.
    Distinct,
    /// Any order, as often as chance has it: many answers tell of one that is paid already.
    Random,
}

/// The loaded orders, by number.
#[derive(Debug)]
pub struct Orders {
    count: u64,
    next: Cell<u64>,
    paid: RefCell<Vec<u64>>,
}

impl Orders {
    /// Orders 0 to `count - 1`, none of them paid.
    pub fn new(count: u64) -> Self {
        let words = usize::try_from(count.div_ceil(64)).unwrap_or(usize::MAX);
        Self { count, next: Cell::new(0), paid: RefCell::new(vec![0; words]) }
    }

    /// The next order. `None`: there is none that was not asked for before.
    pub fn pick(&self, pick: Pick) -> Option<u64> {
        match pick {
            Pick::Random => (self.count > 0).then(|| fastrand::u64(0..self.count)),
            Pick::Distinct => {
                let order = self.next.get();
                (order < self.count).then(|| {
                    self.next.set(order + 1);
                    order
                })
            }
        }
    }

    /// Notes that a checkout of this order was answered 2xx. True the first time, and then never again: that one is
    /// the committed checkout, the others tell that it is already paid.
    pub fn paid_now(&self, order: u64) -> bool {
        let mut paid = self.paid.borrow_mut();
        let Some(word) = usize::try_from(order / 64).ok().and_then(|word| paid.get_mut(word)) else {
            return false;
        };
        let bit = 1 << (order % 64);
        let first = *word & bit == 0;
        *word |= bit;
        first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinct_orders_come_once_and_end() {
        let orders = Orders::new(3);
        let picked: Vec<_> = (0..5).map(|_| orders.pick(Pick::Distinct)).collect();
        assert_eq!(picked, [Some(0), Some(1), Some(2), None, None]);
    }

    #[test]
    fn an_order_is_paid_for_the_first_time_once() {
        let orders = Orders::new(130);
        for order in [0, 63, 64, 129] {
            assert!(orders.paid_now(order));
            assert!(!orders.paid_now(order));
        }
        assert!(orders.paid_now(1));
    }
}
