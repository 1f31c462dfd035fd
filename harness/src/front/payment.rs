//! The endpoints of the payment service.

use super::{Answer, Front};
use crate::service::Service;

impl Front {
    /// `POST /payment/create_user`
    pub async fn create_user(&self) -> Answer {
        self.post(Service::Payment, "/create_user".to_owned()).await
    }

    /// `GET /payment/find_user/{user}`
    pub async fn find_user(&self, user: &str) -> Answer {
        self.get(Service::Payment, format!("/find_user/{user}")).await
    }

    /// `POST /payment/add_funds/{user}/{amount}`
    pub async fn add_funds(&self, user: &str, amount: u64) -> Answer {
        self.post(Service::Payment, format!("/add_funds/{user}/{amount}")).await
    }

    /// `POST /payment/pay/{user}/{order}/{amount}`
    pub async fn pay(&self, user: &str, order: &str, amount: u64) -> Answer {
        self.post(Service::Payment, format!("/pay/{user}/{order}/{amount}")).await
    }

    /// `POST /payment/pay/{user}/{amount}`
    pub async fn pay_without_order(&self, user: &str, amount: u64) -> Answer {
        self.post(Service::Payment, format!("/pay/{user}/{amount}")).await
    }

    /// `POST /payment/cancel/{user}/{order}`
    pub async fn cancel(&self, user: &str, order: &str) -> Answer {
        self.post(Service::Payment, format!("/cancel/{user}/{order}")).await
    }

    /// `GET /payment/status/{user}/{order}`
    pub async fn status(&self, user: &str, order: &str) -> Answer {
        self.get(Service::Payment, format!("/status/{user}/{order}")).await
    }

    /// `POST /payment/batch_init/{n}/{starting_money}`
    pub async fn init_users(&self, n: u64, starting_money: u64) -> Answer {
        self.post(Service::Payment, format!("/batch_init/{n}/{starting_money}")).await
    }
}
