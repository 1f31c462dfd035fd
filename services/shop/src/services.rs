//! The services as a machine serves them: what each of its threads makes of its shards.

pub mod order;
pub mod payment;
pub mod stock;

use std::rc::Rc;

use actix_web::web::ServiceConfig;
use shardcart_protocol::insight::Insight;
use shardcart_protocol::participant::Participant;

/// Binds endpoints in one thread.
pub type Bind = Box<dyn FnOnce(&mut ServiceConfig)>;

/// What stock or payment serves in one thread.
pub struct Served {
    /// Its part in checkouts.
    pub participant: Rc<dyn Participant>,
    /// What it shows of itself.
    pub insight: Rc<dyn Insight>,
    /// Binds its endpoints for clients.
    pub endpoints: Bind,
    /// Binds its endpoints of /v1.
    pub v1: Bind,
}
