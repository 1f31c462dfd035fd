//! Coalesces concurrent requests to the same shard into batches.
//!
//! A request that finds no batch in flight to its shard is sent at once. A request that arrives later waits for the next
//! batch, and that batch may wait a little for further requests (see [`crate::batch_pacer`]).

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::rt;
use tokio::sync::oneshot;

use crate::batch_pacer::{BatchPacer, Stage};

/// At most so many requests wait for one shard; beyond it a request fails at once.
const QUEUE_MAX: usize = 65_536;
/// At most so many batches are in flight to one shard. A second batch is sent only when the first is slow, so that one
/// silent machine or connection does not hold up what another could do.
const IN_FLIGHT_MAX: usize = 4;
/// A batch that takes longer than this is slow.
const SLOW: Duration = Duration::from_millis(100);

/// A kind of request of which a shard can answer many in one batch.
pub trait BatchRequest: 'static {
    /// One request.
    type Item: 'static;
    /// Its answer.
    type Answer: 'static;
    /// The largest batch.
    const ITEMS_MAX: usize;

    /// Sends a batch to a shard: one answer for each item, in order.
    fn send(&self, shard: u16, items: Vec<Self::Item>) -> impl Future<Output = Vec<Self::Answer>>;
}

struct Queue<T: BatchRequest> {
    waiting: VecDeque<(T::Item, oneshot::Sender<T::Answer>)>,
    in_flight: usize,
    last_sent: Option<Instant>,
}

/// Coalesces the requests of one thread, shard by shard.
pub struct Coalescer<T: BatchRequest> {
    request: T,
    pacer: Rc<BatchPacer>,
    stage: Stage,
    queues: RefCell<HashMap<u16, Queue<T>>>,
}

impl<T: BatchRequest> Coalescer<T> {
    /// A coalescer for requests of one stage of the thread's checkouts.
    pub fn new(request: T, pacer: &Rc<BatchPacer>, stage: Stage) -> Rc<Self> {
        Rc::new(Coalescer { request, pacer: Rc::clone(pacer), stage, queues: RefCell::default() })
    }

    /// How batches are sent.
    pub fn request(&self) -> &T {
        &self.request
    }

    /// Sends a request to a shard, in a batch with others. `None`: too many wait, or there is no answer.
    pub async fn submit(self: &Rc<Self>, shard: u16, item: T::Item) -> Option<T::Answer> {
        let (sender, receiver) = oneshot::channel();
        let starts = {
            let mut queues = self.queues.borrow_mut();
            let queue = queues.entry(shard).or_insert_with(|| Queue {
                waiting: VecDeque::new(),
                in_flight: 0,
                last_sent: None,
            });
            if queue.waiting.len() >= QUEUE_MAX {
                return None;
            }
            queue.waiting.push_back((item, sender));
            let is_slow = || queue.last_sent.is_none_or(|sent| sent.elapsed() > SLOW);
            let starts = queue.in_flight == 0 || (queue.in_flight < IN_FLIGHT_MAX && is_slow());
            queue.in_flight += usize::from(starts);
            starts
        };
        if starts {
            // It is sent when this thread has run all tasks that are ready now, so that their requests join the batch.
            rt::spawn(Rc::clone(self).run(shard));
        }
        receiver.await.ok()
    }

    /// Sends batches until no request waits.
    async fn run(self: Rc<Self>, shard: u16) {
        loop {
            self.pacer.gather(self.stage, || self.waiting(shard)).await;
            let Some((items, senders)) = self.next_batch(shard) else { return };
            // Dropped after the answers are given, so that requests that follow from them arrive before the next batch is
            // sent.
            let _in_flight = self.pacer.begin_batch(self.stage);
            for (sender, answer) in senders.into_iter().zip(self.request.send(shard, items).await) {
                // The caller may have gone.
                let _ = sender.send(answer);
            }
        }
    }

    /// How many requests wait for a shard.
    fn waiting(&self, shard: u16) -> usize {
        self.queues.borrow().get(&shard).map_or(0, |queue| queue.waiting.len())
    }

    /// The next batch. `None`: no request waits, and this sender's turn is over.
    #[expect(clippy::type_complexity, reason = "two lists of the same length")]
    fn next_batch(&self, shard: u16) -> Option<(Vec<T::Item>, Vec<oneshot::Sender<T::Answer>>)> {
        let mut queues = self.queues.borrow_mut();
        let queue = queues.get_mut(&shard)?;
        // A caller that has gone needs no answer; what it asked for is cancelled by others.
        queue.waiting.retain(|(_, sender)| !sender.is_closed());
        let count = queue.waiting.len().min(T::ITEMS_MAX);
        if count == 0 {
            queue.in_flight -= 1;
            return None;
        }
        queue.last_sent = Some(Instant::now());
        Some(queue.waiting.drain(..count).unzip())
    }
}
