//! A world of buyers, items and orders, in which faults happen: what was done in it, what clients were told, and
//! whether all of that is true.

mod books;
mod load;
mod orders;
mod people;
mod verdict;

pub use self::books::Books;
pub use self::load::{Fronts, Load, Tally};
pub use self::orders::{Outcome, Placed, Told};
pub use self::people::{Kind, World};
pub use self::verdict::{Judge, Verdict};
