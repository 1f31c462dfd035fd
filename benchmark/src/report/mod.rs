//! How figures are told: as text, as JSON, as a page with charts.

pub mod chart;
pub mod findings;
pub mod made;
pub mod outcome;
pub mod page;
pub mod table;
