//! The query of a request: every parameter is known, and given once.

use std::fmt;
use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use shardcart_types::code::Code;

use super::typed;
use crate::problem::Problem;

/// The largest page of a list.
pub const LIMIT_MAX: u16 = 100;
/// The page of a list where the query does not say.
pub const LIMIT: u16 = 20;

/// The parameters of a query: `Query(found): Query<Find>`. The type refuses those that it does not know
/// (`#[serde(deny_unknown_fields)]`).
#[derive(Debug)]
pub struct Query<T>(pub T);

/// Marks a request whose query is read.
struct IsRead;

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        request.extensions_mut().insert(IsRead);
        ready(read(request.query_string()).map(Query))
    }
}

/// Reads a query.
///
/// # Errors
/// `invalid_query`, with the parameter.
pub fn read<T: DeserializeOwned>(query: &str) -> Result<T, Problem> {
    if !is_well_formed(query) {
        return Err(Problem::new(Code::InvalidQuery, "a percent-encoding in the query does not stand for text"));
    }
    typed::of_query(serde_urlencoded::Deserializer::new(pairs(query)))
}

fn pairs(query: &str) -> form_urlencoded::Parse<'_> {
    form_urlencoded::parse(query.as_bytes())
}

/// Whether every percent-encoding stands for text: what does not is replaced when it is read.
fn is_well_formed(query: &str) -> bool {
    pairs(query).all(|(name, value)| {
        !name.contains(char::REPLACEMENT_CHARACTER) && !value.contains(char::REPLACEMENT_CHARACTER)
    })
}

/// Checks that an endpoint without parameters was given none.
///
/// # Errors
/// `invalid_query`, with each parameter.
pub fn check_nothing_is_left(request: &HttpRequest) -> Result<(), Problem> {
    let query = request.query_string();
    if query.is_empty() || request.extensions().get::<IsRead>().is_some() {
        return Ok(());
    }
    let problem = Problem::new(Code::InvalidQuery, "no parameters are read here");
    Err(pairs(query).take(LIMIT.into()).fold(problem, |problem, (name, _)| {
        problem.at_parameter(name, "unknown_parameter", "no parameters are read here")
    }))
}

/// How many things a page of a list has at most: 1 to [`LIMIT_MAX`], [`LIMIT`] where the query does not say. A member
/// `limit` of a query, with `#[serde(default)]`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit(u16);

impl Limit {
    /// The number.
    pub fn get(self) -> usize {
        self.0.into()
    }
}

impl Default for Limit {
    fn default() -> Self {
        Limit(LIMIT)
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u16::deserialize(deserializer).ok().filter(|number| (1..=LIMIT_MAX).contains(number));
        number
            .map(Limit)
            .ok_or_else(|| D::Error::custom(format_args!("a limit is a whole number from 1 to {LIMIT_MAX}")))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use shardcart_telemetry::trace::About;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Find {
        tag: Option<String>,
        #[serde(default)]
        limit: Limit,
    }

    fn wrong(query: &str) -> (String, String) {
        let problem = read::<Find>(query).unwrap_err();
        assert_eq!(problem.code(), Code::InvalidQuery, "{query}");
        let told: Value = serde_json::from_str(&problem.body_of_v1(&About::default())).unwrap();
        let text = |name: &str| told["errors"][0][name].as_str().unwrap_or_default().to_owned();
        (text("parameter"), text("code"))
    }

    #[test]
    fn known_parameters_are_read() {
        assert_eq!(read::<Find>("").unwrap(), Find { tag: None, limit: Limit(20) });
        let found = read::<Find>("limit=100&tag=a%20b+c%C3%BC").unwrap();
        assert_eq!(found, Find { tag: Some("a b cü".to_owned()), limit: Limit(100) });
    }

    #[test]
    fn unknown_and_doubled_parameters_are_refused() {
        assert_eq!(wrong("tga=x"), ("tga".to_owned(), "unknown_member".to_owned()));
        assert_eq!(wrong("tag=x&tag=x"), ("tag".to_owned(), "duplicate_member".to_owned()));
        assert_eq!(wrong("tag=%FF").0, "");
    }

    #[test]
    fn a_limit_is_between_one_and_a_hundred() {
        for bad in ["0", "101", "-1", "x", "", "1.5", "99999999999"] {
            assert_eq!(wrong(&format!("limit={bad}")), ("limit".to_owned(), "invalid_value".to_owned()), "{bad}");
        }
    }
}
