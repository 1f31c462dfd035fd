//! The three services, by the names that they have in paths, programs and settings.

use std::fmt;

/// One of the three services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// Carts and checkout.
    Order,
    /// Items and what is left of them.
    Stock,
    /// Users and what they have paid.
    Payment,
}

impl Service {
    /// All of them; the position is what [`Service::index`] answers.
    pub const ALL: [Service; 3] = [Service::Order, Service::Stock, Service::Payment];

    /// The position in [`Service::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// The name of the program, and the first word of the setting that says where it is.
    pub fn program(self) -> &'static str {
        match self {
            Service::Order => "order",
            Service::Stock => "stock",
            Service::Payment => "payment",
        }
    }

    /// The first part of its public paths behind a gateway.
    pub fn prefix(self) -> &'static str {
        match self {
            Service::Order => "orders",
            Service::Stock => "stock",
            Service::Payment => "payment",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.program())
    }
}
