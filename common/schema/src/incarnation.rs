//! Incarnations: which of the orders, users or items that had a foreign id one after the other is meant. An id minted here is
//! never given twice, and its incarnation is empty.

/// Stands for the incarnation of an order that does not exist: what was paid for whichever order had its id counts.
pub const ANY: &str = "*";

/// Stands between the incarnation of a user and the incarnation of an order where both are kept together.
pub const SEPARATOR: char = '/';

/// The incarnations of a user and an order together, as payments and reservations of credit keep them.
pub fn pair(user: &str, order: &str) -> String {
    format!("{user}{SEPARATOR}{order}")
}

/// Takes a pair apart: the incarnation of the user and of the order. `None`: it is no pair.
pub fn split(pair: &str) -> Option<(&str, &str)> {
    pair.split_once(SEPARATOR)
}
