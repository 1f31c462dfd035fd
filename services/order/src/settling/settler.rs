//! The settler: collects the decided attempts of this machine, and settles them in large batches after their clients
//! were answered.

use std::rc::Rc;
use std::time::Duration;

use actix_web::rt;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::participants::Participants;
use crate::settling::Settlement;

/// Decided attempts that wait at most; beyond it recovery settles them, from the orders themselves.
const QUEUE_MAX: usize = 65_536;
/// Attempts that are settled together at most.
const BATCH_MAX: usize = 2_048;

/// Where the checkouts of a thread put their decided attempts. Nothing is lost with the queue: recovery finds each of
/// these orders in flight on its shard.
#[derive(Debug, Clone)]
pub struct SettleQueue(mpsc::Sender<Settlement>);

impl SettleQueue {
    /// Leaves an attempt to be settled soon.
    pub fn push(&self, settlement: Settlement) {
        if self.0.try_send(settlement).is_err() {
            log::debug!("the queue of decided attempts is full: recovery settles this one");
        }
    }
}

/// The background task that settles.
#[derive(Debug)]
pub struct Settler {
    task: JoinHandle<()>,
    closing: watch::Sender<bool>,
}

/// The queue, and what the task needs to empty it; made before the threads that fill it.
pub fn queue() -> (SettleQueue, mpsc::Receiver<Settlement>) {
    let (sender, receiver) = mpsc::channel(QUEUE_MAX);
    (SettleQueue(sender), receiver)
}

impl Settler {
    /// Starts settling in this thread. `linger`: how long decided attempts are collected.
    pub fn start(participants: Rc<Participants>, mut queue: mpsc::Receiver<Settlement>, linger: Duration) -> Self {
        let (closing, mut closes) = watch::channel(false);
        let task = rt::spawn(async move {
            loop {
                let first = tokio::select! {
                    first = queue.recv() => first,
                    _ = closes.wait_for(|closing| *closing) => queue.try_recv().ok(),
                };
                let Some(first) = first else { return };
                tokio::select! {
                    () = tokio::time::sleep(linger) => {}
                    _ = closes.wait_for(|closing| *closing) => {}
                }
                let mut batch = vec![first];
                while batch.len() < BATCH_MAX
                    && let Ok(next) = queue.try_recv()
                {
                    batch.push(next);
                }
                participants.settle(&batch).await;
            }
        });
        Settler { task, closing }
    }

    /// Settles what is left without lingering, and ends, within `limit`.
    pub async fn close(self, limit: Duration) {
        let _ = self.closing.send(true);
        if tokio::time::timeout(limit, self.task).await.is_err() {
            log::warn!("decided attempts are left to recovery");
        }
    }
}
