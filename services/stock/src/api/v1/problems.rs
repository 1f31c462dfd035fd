//! How /v1 tells that an operation on products failed.

use shardcart_http::problem::Problem;
use shardcart_types::code::Code;

use crate::products::content::Invalid;
use crate::products::error::ProductError;

/// The code of an error; nothing of what is unknown.
pub(super) fn code(error: &ProductError) -> Option<Code> {
    Some(match error {
        ProductError::Unknown(_) => Code::UnknownProduct,
        ProductError::Exists(_) => Code::Exists,
        ProductError::Changed(_) => Code::Changed,
        ProductError::HandleTaken(_) => Code::HandleTaken,
        ProductError::TooLarge => Code::TooLarge,
        ProductError::Contended(_) => Code::Overloaded,
        ProductError::NoPrice(_) => Code::InvalidBody,
        ProductError::KeyReused(_) => Code::IdempotencyKeyReused,
        ProductError::TooManyKeys(_) => Code::TooManyIdempotencyKeys,
        ProductError::NotUnderstood(_) | ProductError::Shard(_) => return None,
    })
}

/// Logs the cause of an unknown outcome: a client is never told it.
impl From<ProductError> for Problem {
    fn from(error: ProductError) -> Self {
        let Some(code) = code(&error) else {
            log::error!(error:%; "an operation on a product stays unanswered");
            return Problem::shard_unavailable();
        };
        let detail = error.to_string();
        let problem = Problem::new(code, &detail);
        match error {
            ProductError::HandleTaken(_) => problem.at("/handle", code.as_str(), detail),
            ProductError::NoPrice(_) => problem.at("/price", "missing_member", detail),
            _ => problem,
        }
    }
}

/// What word says that a value may not be.
pub(super) const INVALID_VALUE: &str = "invalid_value";

/// What is wrong with a description.
pub(super) fn invalid(wrong: Vec<Invalid>) -> Problem {
    let problem = Problem::new(Code::InvalidBody, "the product is not accepted: see errors");
    wrong.into_iter().fold(problem, |problem, wrong| problem.at(wrong.pointer, INVALID_VALUE, wrong.detail))
}
