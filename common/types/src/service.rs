//! The participants of a checkout by name.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The services that take part in a checkout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// Holds items.
    Stock,
    /// Holds credit.
    Payment,
}

impl Service {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Service::Stock => "stock",
            Service::Payment => "payment",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
