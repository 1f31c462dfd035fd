//! The participants of checkouts: the clients of stock and payment, and the plan that says which of their shards take
//! part.

mod plan;

use std::rc::Rc;
use std::sync::Arc;

use shardcart_protocol::batch_pacer::BatchPacer;
use shardcart_protocol::participant::{Participant, ParticipantError};
use shardcart_protocol::participant_client::ParticipantClient;
use shardcart_store::shards::Shards;
use shardcart_types::service::Service;

use crate::attempt::Attempt;

pub use plan::{Part, PaymentPart, Plan, StockPart};

/// Everyone whom the checkouts of one thread need: the order shards, and a client of each participant.
pub struct Participants {
    /// The order service's own shards.
    pub shards: Arc<Shards>,
    /// What the thread's checkouts have under way; the batches for order shards are paced by it, too.
    pub(crate) pacer: Rc<BatchPacer>,
    /// The stock service.
    pub stock: Rc<ParticipantClient>,
    /// The payment service.
    pub payment: Rc<ParticipantClient>,
}

impl Participants {
    /// These shards and these participants, for one thread.
    pub fn new(shards: Arc<Shards>, stock: Rc<dyn Participant>, payment: Rc<dyn Participant>) -> Rc<Self> {
        let pacer = Rc::default();
        let stock = ParticipantClient::new(Service::Stock, stock, &pacer);
        let payment = ParticipantClient::new(Service::Payment, payment, &pacer);
        Rc::new(Participants { shards, pacer, stock, payment })
    }

    /// The client of a participant.
    pub fn client(&self, service: Service) -> &Rc<ParticipantClient> {
        match service {
            Service::Stock => &self.stock,
            Service::Payment => &self.payment,
        }
    }

    /// Plans an attempt. The same attempt has the same plan wherever and whenever this is asked: it follows from the
    /// frozen cart alone.
    ///
    /// # Errors
    /// - `Unanswered`: a participant has not told yet how its keys are spread.
    /// - `BeyondList`, `NoShard`: a participant does not know one of the shards, or has none.
    pub async fn plan(&self, attempt: &Attempt) -> Result<Plan, ParticipantError> {
        let (item_shard, user_shard) = (self.stock.router().await?, self.payment.router().await?);
        let plan = Plan::new(attempt, item_shard, user_shard);
        for part in plan.parts() {
            self.client(part.service()).check_known(part.shard()).await?;
        }
        Ok(plan)
    }
}
