//! The stable codes of error answers, each with its HTTP status and title.

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $status:literal $code:literal $title:literal;)*) => {
        /// What went wrong, as clients may rely on it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Code { $($(#[$doc])* $name,)* }

        impl Code {
            /// All codes, in order.
            pub const ALL: &[Code] = &[$(Code::$name),*];

            /// The HTTP status of the answer.
            pub const fn status(self) -> u16 {
                match self { $(Code::$name => $status,)* }
            }

            /// The code as it stands in the answer.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$name => $code,)* }
            }

            /// What the code means, for a person.
            pub fn title(self) -> &'static str {
                match self { $(Code::$name => $title,)* }
            }
        }
    };
}

codes! {
    /// An id has bad characters or a bad length.
    InvalidId = 400 "invalid_id" "Malformed id";
    /// An amount or quantity is not a whole number in range.
    InvalidAmount = 400 "invalid_amount" "Malformed amount";
    /// The path or the query cannot be read.
    InvalidPath = 400 "invalid_path" "Malformed path";
    /// The body cannot be read, or says something where nothing is asked.
    InvalidBody = 400 "invalid_body" "Malformed or unwanted body";
    /// The header `Idempotency-Key` cannot be read.
    InvalidIdempotencyKey = 400 "invalid_idempotency_key" "Malformed Idempotency-Key";
    /// A header that the call goes by cannot be read.
    InvalidHeader = 400 "invalid_header" "Malformed header";
    /// The query cannot be read, or has a parameter that the call does not know.
    InvalidQuery = 400 "invalid_query" "Malformed or unknown parameter";
    /// The cursor is not one that this call gave for this query.
    InvalidCursor = 400 "invalid_cursor" "Cursor of another list";
    /// The call moves money, and has no `Idempotency-Key`.
    IdempotencyKeyRequired = 400 "idempotency_key_required" "Idempotency-Key required";
    /// The internal listener wants its secret.
    Unauthorized = 401 "unauthorized" "Missing or wrong token";
    /// The user has too little credit.
    InsufficientCredit = 402 "insufficient_credit" "Too little credit";
    /// This deployment does not allow the call.
    Forbidden = 403 "forbidden" "Not allowed here";
    /// No such order.
    UnknownOrder = 404 "unknown_order" "Unknown order";
    /// No such item, or not in the cart.
    UnknownItem = 404 "unknown_item" "Unknown item";
    /// No such user.
    UnknownUser = 404 "unknown_user" "Unknown user";
    /// No such product.
    UnknownProduct = 404 "unknown_product" "Unknown product";
    /// Nothing was paid.
    UnknownPayment = 404 "unknown_payment" "Unknown payment";
    /// No such path.
    NoRoute = 404 "no_route" "No such path";
    /// The path exists, for another method.
    MethodNotAllowed = 405 "method_not_allowed" "Method not allowed";
    /// Too little stock of an item.
    InsufficientStock = 409 "insufficient_stock" "Too little stock";
    /// The order is being paid.
    OrderPending = 409 "order_pending" "The order is being paid";
    /// The order is paid.
    OrderPaid = 409 "order_paid" "The order is paid";
    /// The order's payment exists already.
    AlreadyPaid = 409 "already_paid" "Already paid";
    /// The attempt to pay was given up; nothing was taken.
    CheckoutAborted = 409 "checkout_aborted" "Checkout given up";
    /// Another product has the handle.
    HandleTaken = 409 "handle_taken" "Handle taken";
    /// A sum would leave the range of amounts.
    OutOfRange = 409 "out_of_range" "Sum out of range";
    /// Something is held or in flight.
    InUse = 409 "in_use" "In use";
    /// It is not what `If-Match` names.
    Changed = 412 "changed" "Changed meanwhile";
    /// It exists, and `If-None-Match` wants that it does not.
    Exists = 412 "exists" "Exists already";
    /// A body or a cart over the limit.
    TooLarge = 413 "too_large" "Too large";
    /// The body has another content type than the call reads.
    UnsupportedMediaType = 415 "unsupported_media_type" "Content type not read here";
    /// Money of another currency than the shop's.
    CurrencyMismatch = 422 "currency_mismatch" "Another currency";
    /// The idempotency key was used for another request.
    IdempotencyKeyReused = 422 "idempotency_key_reused" "Idempotency-Key used for another request";
    /// Refused before anything was done.
    Overloaded = 429 "overloaded" "Overloaded";
    /// The shard keeps as many idempotency keys as it may; nothing was done.
    TooManyIdempotencyKeys = 429 "too_many_idempotency_keys" "Too many idempotency keys";
    /// A shard does not answer.
    ShardUnavailable = 503 "shard_unavailable" "Shard unavailable";
    /// The outcome is not known in time.
    OutcomeUnknown = 503 "outcome_unknown" "Outcome unknown";
}
