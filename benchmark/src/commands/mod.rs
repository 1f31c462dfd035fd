//! The commands, one file each, and the measurement that several of them make.

pub mod checkout;
pub mod consistency;
pub mod experiments;
pub mod growth;
pub mod kept;
pub mod load;
pub mod measurement;
pub mod price;
pub mod stress;
