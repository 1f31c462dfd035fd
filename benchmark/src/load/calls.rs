//! The calls that clients make, and in which proportions.

use std::str::FromStr;

use serde::Serialize;

/// What a client does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Call {
    /// Checks out a loaded order.
    Checkout,
    /// A whole visit: creates a user with money, looks at items, fills a cart, checks it out.
    Purchase,
    /// Reads a loaded order.
    FindOrder,
    /// Reads a loaded item.
    FindItem,
    /// Reads a loaded user.
    FindUser,
    /// Asks whether a loaded order of a loaded user is paid.
    PaymentStatus,
    /// Creates an order of a loaded user.
    CreateOrder,
    /// Adds a loaded item to an order that this client created for it.
    AddItem,
    /// Creates an item.
    CreateItem,
    /// Adds a unit to a loaded item.
    AddStock,
    /// Takes a unit of a loaded item.
    Subtract,
    /// Creates a user.
    CreateUser,
    /// Adds 1 to the credit of a loaded user.
    AddFunds,
    /// Takes 1 from the credit of a loaded user, for no order.
    Pay,
}

impl Call {
    /// All of them; the position is that of `as usize`.
    pub const ALL: [Self; 14] = [
        Self::Checkout,
        Self::Purchase,
        Self::FindOrder,
        Self::FindItem,
        Self::FindUser,
        Self::PaymentStatus,
        Self::CreateOrder,
        Self::AddItem,
        Self::CreateItem,
        Self::AddStock,
        Self::Subtract,
        Self::CreateUser,
        Self::AddFunds,
        Self::Pay,
    ];

    /// Its name on the command line and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Checkout => "checkout",
            Self::Purchase => "purchase",
            Self::FindOrder => "find_order",
            Self::FindItem => "find_item",
            Self::FindUser => "find_user",
            Self::PaymentStatus => "payment_status",
            Self::CreateOrder => "create_order",
            Self::AddItem => "add_item",
            Self::CreateItem => "create_item",
            Self::AddStock => "add_stock",
            Self::Subtract => "subtract",
            Self::CreateUser => "create_user",
            Self::AddFunds => "add_funds",
            Self::Pay => "pay",
        }
    }

    /// Whether it changes the stock or credit of what was loaded otherwise than by checking out a loaded order.
    const fn changes_sums(self) -> bool {
        matches!(self, Self::Purchase | Self::AddStock | Self::Subtract | Self::AddFunds | Self::Pay)
    }
}

/// Calls by weight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mix {
    weights: Vec<(Call, u32)>,
    total: u32,
}

impl Mix {
    /// Nothing but one call.
    pub fn only(call: Call) -> Self {
        Self { weights: vec![(call, 1)], total: 1 }
    }

    /// One of the calls, by chance.
    pub fn draw(&self) -> Call {
        if let [(call, _)] = self.weights.as_slice() {
            return *call;
        }
        let mut at = fastrand::u32(0..self.total);
        for (call, weight) in &self.weights {
            if at < *weight {
                return *call;
            }
            at -= weight;
        }
        self.weights[0].0
    }

    /// Whether it has this call.
    pub fn has(&self, wanted: Call) -> bool {
        self.weights.iter().any(|(call, _)| *call == wanted)
    }

    /// Whether stock and credit of what was loaded change by checkouts of loaded orders alone.
    pub fn keeps_sums(&self) -> bool {
        !self.weights.iter().any(|(call, _)| call.changes_sums())
    }
}

impl FromStr for Mix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut weights = Vec::new();
        let mut total = 0_u32;
        for part in text.split(',') {
            let (name, weight) = part.split_once('=').unwrap_or((part, "1"));
            let call = Call::ALL.into_iter().find(|call| call.name() == name.trim()).ok_or_else(|| {
                let known: Vec<_> = Call::ALL.iter().map(|call| call.name()).collect();
                format!("there is no call {name:?}; there are {}", known.join(", "))
            })?;
            let weight: u32 = weight.trim().parse().map_err(|_| format!("{weight:?} is not a weight"))?;
            total = total.checked_add(weight).ok_or("the weights are too large")?;
            if weight > 0 {
                weights.push((call, weight));
            }
        }
        if total == 0 {
            return Err("at least one weight must be more than 0".to_owned());
        }
        Ok(Self { weights, total })
    }
}

impl std::fmt::Display for Mix {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (at, (call, weight)) in self.weights.iter().enumerate() {
            write!(out, "{}{}={weight}", if at > 0 { "," } else { "" }, call.name())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_stand_in_the_order_of_their_numbers() {
        assert!(Call::ALL.iter().enumerate().all(|(at, call)| *call as usize == at));
    }

    #[test]
    fn a_mix_is_drawn_by_its_weights() {
        let mix: Mix = "checkout=1,find_item=3,pay=0".parse().unwrap();
        let checkouts = (0..40_000).filter(|_| mix.draw() == Call::Checkout).count();
        assert!((9_000..11_000).contains(&checkouts), "{checkouts}");
        assert_eq!(mix.to_string(), "checkout=1,find_item=3");
        assert!(mix.keeps_sums() && !"checkout,pay".parse::<Mix>().unwrap().keeps_sums());
    }

    #[test]
    fn a_mix_that_is_none_says_why() {
        for (wrong, why) in [("", "no call"), ("fly=1", "no call"), ("pay=x", "not a weight"), ("pay=0", "more than 0")]
        {
            let error = wrong.parse::<Mix>().unwrap_err();
            assert!(error.contains(why), "{wrong}: {error}");
        }
    }
}
