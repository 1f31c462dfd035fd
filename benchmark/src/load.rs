//! `load`: how long it takes to fill a shop.

use serde::{Deserialize, Serialize};

use crate::control::{Control, ShopArgs};
use crate::fill::{Call, Fill};

/// What to load.
#[derive(Debug, clap::Args)]
pub struct LoadArgs {
    #[command(flatten)]
    pub shop: ShopArgs,
    /// Items to load
    #[arg(long, default_value_t = 100_000)]
    pub items: u64,
    /// Users to load
    #[arg(long, default_value_t = 100_000)]
    pub users: u64,
    /// Orders to load, each with two random items for a random user
    #[arg(long, default_value_t = 100_000)]
    pub orders: u64,
    /// Price of every item, in the shop's unit of money
    #[arg(long, default_value_t = 1)]
    pub price: u64,
    /// Stock of every item, in units
    #[arg(long, default_value_t = 1_000_000)]
    pub stock: u64,
    /// Credit of every user, in the shop's unit of money
    #[arg(long, default_value_t = 1_000_000)]
    pub credit: u64,
}

/// How long filling took.
#[derive(Debug, Serialize)]
pub struct LoadReport {
    /// Where the shop is.
    pub url: String,
    /// One entry a call, in the order they were made.
    pub calls: Vec<Call>,
    /// All of them, in seconds.
    pub seconds: f64,
}

#[derive(Deserialize)]
struct Item {
    stock: u64,
    price: u64,
}

#[derive(Deserialize)]
struct User {
    credit: u64,
}

#[derive(Deserialize)]
struct Order {
    paid: bool,
    total_cost: u64,
}

/// Fills the shop with one batch_init after another, and reads the last of each kind back.
///
/// # Errors
/// The shop is not ready, refuses, or does not hold what it said it loaded.
pub async fn run(args: &LoadArgs) -> Result<LoadReport, String> {
    let &LoadArgs { items, users, orders, price, stock, credit, .. } = args;
    let mut control = Control::connect(&args.shop).await?;
    let fill = Fill { items, stock, price, users, credit, orders };
    let calls = fill.load(&mut control).await?;
    read_back(&mut control, &fill).await?;
    Ok(LoadReport { url: args.shop.url.to_string(), seconds: calls.iter().map(|call| call.seconds).sum(), calls })
}

async fn read_back(control: &mut Control, fill: &Fill) -> Result<(), String> {
    let wrong = |what: &str, id: u64| Err(format!("{what} {id} does not read back as it was loaded"));
    if let Some(last) = fill.items.checked_sub(1) {
        let item: Item = control.find(&format!("/stock/find/{last}")).await?;
        if (item.stock, item.price) != (fill.stock, fill.price) {
            return wrong("item", last);
        }
    }
    if let Some(last) = fill.users.checked_sub(1) {
        let user: User = control.find(&format!("/payment/find_user/{last}")).await?;
        if user.credit != fill.credit {
            return wrong("user", last);
        }
    }
    if let Some(last) = fill.orders.checked_sub(1) {
        let order: Order = control.find(&format!("/orders/find/{last}")).await?;
        if (order.paid, order.total_cost) != (false, 2 * fill.price) {
            return wrong("order", last);
        }
    }
    Ok(())
}
