//! The endpoints of the order service.

use std::time::{Duration, Instant};

use hyper::Method;

use super::{Answer, Front};
use crate::http::NoAnswer;
use crate::processes::settings::lease_is_short;
use crate::service::Service;
use crate::wait::PAUSE;

/// How long repeats of one checkout may go on before a test gives up.
const DEFINITE: Duration = Duration::from_secs(60);

impl Front {
    /// `POST /orders/create/{user}`
    pub async fn create_order(&self, user: &str) -> Answer {
        self.post(Service::Order, format!("/create/{user}")).await
    }

    /// `POST /orders/addItem/{order}/{item}`
    pub async fn add_one(&self, order: &str, item: &str) -> Answer {
        self.post(Service::Order, format!("/addItem/{order}/{item}")).await
    }

    /// `POST /orders/addItem/{order}/{item}/{quantity}`
    pub async fn add_item(&self, order: &str, item: &str, quantity: u64) -> Answer {
        self.post(Service::Order, format!("/addItem/{order}/{item}/{quantity}")).await
    }

    /// `DELETE /orders/removeItem/{order}/{item}`
    pub async fn remove_item(&self, order: &str, item: &str) -> Answer {
        self.delete(Service::Order, format!("/removeItem/{order}/{item}")).await
    }

    /// `DELETE /orders/remove/{order}`
    pub async fn remove_order(&self, order: &str) -> Answer {
        self.delete(Service::Order, format!("/remove/{order}")).await
    }

    /// `GET /orders/find/{order}`
    pub async fn find_order(&self, order: &str) -> Answer {
        self.get(Service::Order, format!("/find/{order}")).await
    }

    /// `GET /orders/find/{order}?items=flat`
    pub async fn find_order_flat(&self, order: &str) -> Answer {
        self.get(Service::Order, format!("/find/{order}?items=flat")).await
    }

    /// `POST /orders/batch_init/{n}/{n_items}/{n_users}/{item_price}`
    pub async fn init_orders(&self, n: u64, n_items: u64, n_users: u64, item_price: u64) -> Answer {
        let path = format!("/batch_init/{n}/{n_items}/{n_users}/{item_price}");
        self.post(Service::Order, path).await
    }

    /// `POST /orders/checkout/{order}`, once.
    ///
    /// # Errors
    /// There was no answer: the outcome is unknown.
    pub async fn try_checkout(&self, order: &str) -> Result<Answer, NoAnswer> {
        self.try_call(Method::POST, Service::Order, &format!("/checkout/{order}")).await
    }

    /// `POST /orders/checkout/{order}`, once, by a client that must be answered.
    pub async fn checkout_once(&self, order: &str) -> Answer {
        self.post(Service::Order, format!("/checkout/{order}")).await
    }

    /// A checkout in a system without faults: its first answer, unless the suite runs with a
    /// short lease, under which attempts may be given up and unknown, and are repeated.
    pub async fn checkout(&self, order: &str) -> Answer {
        let start = Instant::now();
        loop {
            let answer = self.post(Service::Order, format!("/checkout/{order}")).await;
            let given_up = matches!(answer.code(), "checkout_aborted" | "outcome_unknown");
            if !(given_up && lease_is_short()) || start.elapsed() > DEFINITE {
                return answer;
            }
        }
    }

    /// A checkout under faults: repeated until it is answered, with neither 5xx nor 429, and with
    /// `past_aborts` not with `checkout_aborted` either.
    ///
    /// # Panics
    /// When that takes more than a minute.
    pub async fn checkout_until_definite(&self, order: &str, past_aborts: bool) -> Answer {
        let past_aborts = past_aborts || lease_is_short();
        let start = Instant::now();
        let mut last = None;
        while start.elapsed() < DEFINITE {
            let answer = self.try_checkout(order).await;
            match &answer {
                Ok(answer) if answer.status >= 500 || answer.status == 429 => {}
                Ok(answer) if answer.code() == "checkout_aborted" && past_aborts => {}
                Ok(answer) => return answer.clone(),
                Err(_) => {}
            }
            last = Some(answer);
            tokio::time::sleep(PAUSE).await;
        }
        panic!("no definite answer to the checkout of {order} within {DEFINITE:?}, last {last:?}");
    }
}
