//! The order service with its console: what the threads of a machine share, and what each makes for itself.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::rt;
use actix_web::web::ServiceConfig;
use shardcart_http::gate::Gate;
use shardcart_http::machine::Machine;
use shardcart_operator::console::access::{Access, Reach};
use shardcart_operator::console::feed::Feed;
use shardcart_operator::console::settings::ConsoleSettings;
use shardcart_operator::console::{self, Console};
use shardcart_operator::sources::Sources;
use shardcart_order::api::{State, legacy};
use shardcart_order::checkout::coordinator::Coordinator;
use shardcart_order::config::CheckoutSettings;
use shardcart_order::insight::LocalInsight;
use shardcart_order::participants::Participants;
use shardcart_order::recent::RecentAttempts;
use shardcart_order::settling::recovery;
use shardcart_order::settling::settler::{self, SettleQueue, Settler};
use shardcart_protocol::insight::Insight;
use shardcart_protocol::participant::{Participant, Prices};
use shardcart_store::settings::BatchInitSettings;
use shardcart_store::shards::Shards;
use shardcart_telemetry::metrics;

/// How long the last decided attempts may take to be settled when the machine stops.
const SETTLE_LIMIT: Duration = Duration::from_secs(5);

/// What the order service works with in one thread: its shards, and the participants, in-process or over HTTP.
pub struct Reached {
    /// The order shards.
    pub shards: Arc<Shards>,
    /// Holds items.
    pub stock: Rc<dyn Participant>,
    /// Knows what they cost.
    pub prices: Rc<dyn Prices>,
    /// What stock shows of itself.
    pub stock_insight: Rc<dyn Insight>,
    /// Holds credit.
    pub payment: Rc<dyn Participant>,
    /// What payment shows of itself.
    pub payment_insight: Rc<dyn Insight>,
}

impl Reached {
    fn clients(&self) -> Rc<Participants> {
        Participants::new(Arc::clone(&self.shards), Rc::clone(&self.stock), Rc::clone(&self.payment))
    }

    fn sources(&self, recent: &Arc<RecentAttempts>) -> Sources {
        Sources {
            order: Rc::new(LocalInsight::new(Arc::clone(&self.shards))),
            stock: Rc::clone(&self.stock_insight),
            payment: Rc::clone(&self.payment_insight),
            recent: Some(Arc::clone(recent)),
        }
    }
}

/// What the order service of a machine is started with.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How a checkout is driven.
    pub checkout: CheckoutSettings,
    /// Bulk load.
    pub batch_init: BatchInitSettings,
    /// The console's token.
    pub console: ConsoleSettings,
    /// From where the console is seen without a token.
    pub reach: Reach,
    /// What the console calls this machine.
    pub machine: String,
}

/// The order service of a machine, which all its threads share.
#[derive(Debug, Clone)]
pub struct OrderService {
    checkout: CheckoutSettings,
    batch_init: BatchInitSettings,
    queue: SettleQueue,
    recent: Arc<RecentAttempts>,
    feed: Arc<Feed>,
    access: Arc<Access>,
}

impl OrderService {
    /// Starts what runs beside the requests, in this thread: settling, recovery, the console's feed. When the machine
    /// stops, what was decided is settled last.
    pub fn start(settings: Settings, reached: &Reached, machine: &mut Machine) -> Self {
        let Settings { checkout, batch_init, console, reach, machine: name } = settings;
        metrics::checkout::start();
        shardcart_protocol::batch_metrics::start();
        let (queue, decided) = settler::queue();
        let participants = reached.clients();
        rt::spawn(recovery::run(Rc::clone(&participants), checkout.recovery_interval_ms));
        machine.finish_with(Settler::start(participants, decided, checkout.settle_linger_ms).close(SETTLE_LIMIT));
        let recent = Arc::new(RecentAttempts::default());
        let feed = Feed::new(name, Arc::clone(&recent));
        feed.start(reached.sources(&recent), Arc::clone(&reached.shards));
        let access = Arc::new(Access::new(console.token().cloned(), reach));
        OrderService { checkout, batch_init, queue, recent, feed, access }
    }

    /// Binds the endpoints for clients in one thread. Their checkouts are counted in `gate`.
    pub fn bind(&self, config: &mut ServiceConfig, reached: &Reached, gate: &Arc<Gate>) {
        let (participants, gate) = (reached.clients(), Arc::clone(gate));
        let (queue, recent) = (self.queue.clone(), Arc::clone(&self.recent));
        let state = State {
            shards: Arc::clone(&reached.shards),
            prices: Rc::clone(&reached.prices),
            coordinator: Coordinator::new(participants, self.checkout.clone(), queue, gate, recent),
            batch_init: self.batch_init.clone(),
        };
        legacy::endpoints(config, Rc::new(state));
    }

    /// Binds the console in one thread. It goes when `gate` closes.
    pub fn bind_console(&self, config: &mut ServiceConfig, reached: &Reached, gate: &Arc<Gate>) {
        let console = Console {
            access: Arc::clone(&self.access),
            feed: Arc::clone(&self.feed),
            sources: reached.sources(&self.recent),
            shards: Arc::clone(&reached.shards),
            participants: reached.clients(),
            gate: Arc::clone(gate),
        };
        console::endpoints(config, Rc::new(console));
    }
}
