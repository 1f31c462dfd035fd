//! Money: an amount in minor units, with its currency. There is one currency for all of a shop.

use std::fmt;
use std::sync::OnceLock;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use shardcart_types::amount::Amount;
use shardcart_types::currency::Currency;
use utoipa::ToSchema;

static CURRENCY: OnceLock<Currency> = OnceLock::new();

/// What begins the message of an error that is about another currency.
pub(super) const ANOTHER_CURRENCY: &str = "another currency: ";

/// Sets the currency of this process, once.
pub fn set_currency(currency: Currency) {
    CURRENCY.get_or_init(|| currency);
}

/// The currency of this process.
pub fn currency() -> Currency {
    CURRENCY.get().copied().unwrap_or(Currency::EUR)
}

/// Money in the shop's currency: `{"amount":1299,"currency":"EUR"}`. What is read in another is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Money {
    /// How much, in minor units: cents
    #[schema(value_type = u64, maximum = 9_007_199_254_740_991_u64, example = 1299)]
    amount: Amount,
    /// The currency of the shop, by its code of ISO 4217
    #[schema(value_type = String, pattern = "^[A-Z]{3}$", example = "EUR")]
    currency: Own,
}

/// The shop's currency.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Own;

impl Money {
    /// An amount in the shop's currency.
    pub fn new(amount: Amount) -> Self {
        Money { amount, currency: Own }
    }

    /// How much it is, in minor units.
    pub fn amount(self) -> Amount {
        self.amount
    }
}

impl fmt::Display for Money {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.amount, currency())
    }
}

impl Serialize for Own {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&currency())
    }
}

impl<'de> Deserialize<'de> for Own {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let sent: Currency = String::deserialize(deserializer)?.parse().map_err(D::Error::custom)?;
        if sent != currency() {
            return Err(D::Error::custom(format_args!("{ANOTHER_CURRENCY}this shop is in {}, not {sent}", currency())));
        }
        Ok(Own)
    }
}
