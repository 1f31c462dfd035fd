#![doc = include_str!("../README.md")]

pub mod attempt;
pub mod audit;
pub mod config;
pub mod coordinator;
pub mod error;
pub mod handlers;
pub mod insight;
mod observed;
pub mod orders;
pub mod recent;
pub mod recovery;
pub mod settle_now;
pub mod settler;
pub mod settling;
pub mod standings;
pub mod together;
pub mod turns;

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::rt;
use shardcart_common::gate::Gate;
use shardcart_common::metrics;
use shardcart_common::participant::{Participant, Prices};
use shardcart_common::settings::BatchInitSettings;
use shardcart_common::shards::Shards;
use tokio::sync::mpsc;

use config::CheckoutSettings;
use coordinator::Coordinator;
use handlers::State;
use recent::Recent;
use settler::{SettleQueue, Settler};
use settling::{Settlement, Settling};

/// How long the last decided attempts may take to be settled when the machine stops.
pub const SETTLE_LIMIT: Duration = Duration::from_secs(5);

/// Stock and payment as one thread of the order service reaches them: in-process, or over HTTP.
pub struct Participants {
    /// Holds items.
    pub stock: Rc<dyn Participant>,
    /// Knows what they cost.
    pub prices: Rc<dyn Prices>,
    /// Holds credit.
    pub payment: Rc<dyn Participant>,
}

impl Participants {
    /// Who settles, in one thread: order shards and participants.
    pub fn settling(&self, shards: Arc<Shards>) -> Rc<Settling> {
        Settling::new(shards, Rc::clone(&self.stock), Rc::clone(&self.payment))
    }
}

/// What a worker thread's handlers work with.
pub fn state(
    shards: Arc<Shards>,
    participants: Participants,
    checkout: CheckoutSettings,
    batch_init: BatchInitSettings,
    queue: SettleQueue,
    gate: Arc<Gate>,
    recent: Arc<Recent>,
) -> Rc<State> {
    let coordinator = Coordinator::new(participants.settling(Arc::clone(&shards)), checkout, queue, gate, recent);
    Rc::new(State { shards, prices: participants.prices, coordinator, batch_init })
}

/// Starts what goes on in the background, in this thread: settling and recovery.
pub fn start_background(
    shards: Arc<Shards>,
    participants: &Participants,
    checkout: &CheckoutSettings,
    queue: mpsc::Receiver<Settlement>,
) -> Settler {
    metrics::checkout::start();
    metrics::participant::start();
    let settling = participants.settling(shards);
    rt::spawn(recovery::run(Rc::clone(&settling), checkout.recovery_interval_ms));
    Settler::start(settling, queue, checkout.settle_linger_ms)
}
