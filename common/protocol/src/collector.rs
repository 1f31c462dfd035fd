//! Collects what many ask of the same shard at the same time, so that it goes there together.
//!
//! What arrives while something is under way goes with the next, and waits a little for others (see [`crate::flow`]); a lone
//! question goes at once.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::rt;
use tokio::sync::oneshot;

use crate::flow::{Flow, Stage};

/// Questions that wait for one shard at most; beyond it they go unanswered at once.
const QUEUE_MAX: usize = 65_536;
/// How many are under way to one shard at most. A second sets out only when the first is slow, so that one silent
/// machine or connection does not hold up what another could do.
const UNDER_WAY_MAX: usize = 4;
/// What takes longer than this is slow.
const SLOW: Duration = Duration::from_millis(100);

/// What can be asked of a shard together.
pub trait Together: 'static {
    /// One question.
    type Asked: 'static;
    /// The answer to it.
    type Answer: 'static;
    /// Questions that go together at most.
    const MOST: usize;

    /// Asks a shard all of it at once: one answer each, in order.
    fn ask(&self, shard: u16, asked: Vec<Self::Asked>) -> impl Future<Output = Vec<Self::Answer>>;
}

struct Queue<T: Together> {
    waiting: VecDeque<(T::Asked, oneshot::Sender<T::Answer>)>,
    under_way: usize,
    last_sent: Option<Instant>,
}

/// The questions of one thread, shard by shard.
pub struct Collector<T: Together> {
    together: T,
    flow: Rc<Flow>,
    stage: Stage,
    queues: RefCell<HashMap<u16, Queue<T>>>,
}

impl<T: Together> Collector<T> {
    /// A collector in front of whoever is asked in a stage of the thread's checkouts.
    pub fn new(together: T, flow: &Rc<Flow>, stage: Stage) -> Rc<Self> {
        Rc::new(Collector { together, flow: Rc::clone(flow), stage, queues: RefCell::default() })
    }

    /// Whoever is asked.
    pub fn together(&self) -> &T {
        &self.together
    }

    /// Asks a shard something, together with what others ask of it. `None`: too much waits, or there is no answer.
    pub async fn submit(self: &Rc<Self>, shard: u16, asked: T::Asked) -> Option<T::Answer> {
        let (sender, receiver) = oneshot::channel();
        let departs = {
            let mut queues = self.queues.borrow_mut();
            let queue = queues.entry(shard).or_insert_with(|| Queue {
                waiting: VecDeque::new(),
                under_way: 0,
                last_sent: None,
            });
            if queue.waiting.len() >= QUEUE_MAX {
                return None;
            }
            queue.waiting.push_back((asked, sender));
            let is_slow = || queue.last_sent.is_none_or(|sent| sent.elapsed() > SLOW);
            let departs = queue.under_way == 0 || (queue.under_way < UNDER_WAY_MAX && is_slow());
            queue.under_way += usize::from(departs);
            departs
        };
        if departs {
            // It sets out when this thread has run what is ready now, and so takes all of that along.
            rt::spawn(Rc::clone(self).send(shard));
        }
        receiver.await.ok()
    }

    /// Asks until nothing waits.
    async fn send(self: Rc<Self>, shard: u16) {
        loop {
            self.flow.gather(self.stage, || self.waiting(shard)).await;
            let Some((asked, senders)) = self.departing(shard) else { return };
            // Dropped after its answers are given, so that those who ask next on their strength are here before others go.
            let _under_way = self.flow.set_out(self.stage);
            for (sender, answer) in senders.into_iter().zip(self.together.ask(shard, asked).await) {
                // A receiver that is gone has nobody to tell.
                let _ = sender.send(answer);
            }
        }
    }

    /// How many wait for a shard.
    fn waiting(&self, shard: u16) -> usize {
        self.queues.borrow().get(&shard).map_or(0, |queue| queue.waiting.len())
    }

    /// What goes next; `None`, and nothing is under way any more, if nothing waits.
    #[expect(clippy::type_complexity, reason = "two lists of the same length")]
    fn departing(&self, shard: u16) -> Option<(Vec<T::Asked>, Vec<oneshot::Sender<T::Answer>>)> {
        let mut queues = self.queues.borrow_mut();
        let queue = queues.get_mut(&shard)?;
        // Whoever has stopped waiting needs no answer; what it asked for is cancelled by others.
        queue.waiting.retain(|(_, sender)| !sender.is_closed());
        let count = queue.waiting.len().min(T::MOST);
        if count == 0 {
            queue.under_way -= 1;
            return None;
        }
        queue.last_sent = Some(Instant::now());
        Some(queue.waiting.drain(..count).unzip())
    }
}
