//! The arguments in a path, parsed to their types before a handler sees them.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use shardcart_types::amount::{Amount, Quantity};
use shardcart_types::code::Code;
use shardcart_types::ids::{ItemId, OrderId, UserId};

use crate::problem::Problem;

/// A type that one segment of a path can be.
pub trait Argument: Sized {
    /// Parses a segment, already percent-decoded.
    ///
    /// # Errors
    /// `invalid_id` or `invalid_amount`, with what was expected.
    fn parse(segment: &str) -> Result<Self, Problem>;
}

macro_rules! argument {
    ($code:expr => $($name:ident)*) => {$(
        impl Argument for $name {
            fn parse(segment: &str) -> Result<Self, Problem> {
                $name::parse(segment).map_err(|refused| Problem::new($code, refused))
            }
        }
    )*};
}

argument!(Code::InvalidId => ItemId OrderId UserId);
argument!(Code::InvalidAmount => Amount Quantity);

/// The path's arguments in their order: `Args((order, item)): Args<(OrderId, ItemId)>`.
#[derive(Debug)]
pub struct Args<T>(pub T);

macro_rules! args {
    ($($name:ident)*) => {
        impl<$($name: Argument + 'static),*> FromRequest for Args<($($name,)*)> {
            type Error = Problem;
            type Future = Ready<Result<Self, Problem>>;

            fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
                let mut segments = request.match_info().iter().map(|(_, segment)| segment);
                let mut next = || {
                    let segment = segments.next().unwrap_or_default();
                    // What percent-decoding could not read is left as it was, or replaced.
                    if segment.contains(['%', char::REPLACEMENT_CHARACTER]) {
                        return Err(Problem::new(Code::InvalidPath, "a percent-encoding in the path does not stand for an allowed character"));
                    }
                    Ok(segment)
                };
                ready((|| Ok(Args(($($name::parse(next()?)?,)*))))())
            }
        }
    };
}

args!(A);
args!(A B);
args!(A B C);
args!(A B C D);
