//! Who is asked about ids and shards: the three services, in this process or over HTTP.

use std::rc::Rc;
use std::sync::Arc;

use shardcart_order::recent::RecentAttempts;
use shardcart_protocol::insight::Insight;
use shardcart_store::shards::Shards;

/// Who is asked.
#[derive(Clone)]
pub struct Sources {
    /// The order service.
    pub order: Rc<dyn Insight>,
    /// The stock service.
    pub stock: Rc<dyn Insight>,
    /// The payment service.
    pub payment: Rc<dyn Insight>,
    /// The attempts that this machine drove last, if it drives any.
    pub recent: Option<Arc<RecentAttempts>>,
}

impl Sources {
    /// The three services asked in-process, over these shards.
    pub fn of_shards(order: Arc<Shards>, stock: Arc<Shards>, payment: Arc<Shards>) -> Self {
        Sources {
            order: Rc::new(shardcart_order::insight::LocalInsight::new(order)),
            stock: Rc::new(shardcart_stock::insight::LocalInsight::new(stock)),
            payment: Rc::new(shardcart_payment::insight::LocalInsight::new(payment)),
            recent: None,
        }
    }
}
