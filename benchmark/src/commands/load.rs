//! `load`: how long it takes to fill a shop.

use serde::Deserialize;
use shardcart_harness::Service;

use crate::load::fill::{Fill, Goods, How, Ids};
use crate::report::made::Made;
use crate::report::outcome::LoadReport;
use crate::shop::control::Control;
use crate::shop::front::ShopArgs;

/// What to load.
#[derive(Debug, clap::Args)]
pub struct LoadArgs {
    #[command(flatten)]
    pub shop: ShopArgs,
    /// How: three batch_init calls, or one record after another
    #[arg(long, value_enum, default_value = "batch")]
    pub how: How,
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

/// Fills the shop, and reads the last of each kind back.
///
/// # Errors
/// The shop is not ready, refuses, or does not hold what it said it loaded.
pub async fn run(args: &LoadArgs) -> Result<LoadReport, String> {
    let &LoadArgs { items, users, orders, price, stock, credit, .. } = args;
    let made = Made::now();
    let mut control = Control::connect(&args.shop).await?;
    let fill = Fill { items, stock, price, users, credit, orders, lines: 2 };
    let (goods, calls) = fill.load(args.how, &mut control).await?;
    read_back(&mut control, &fill, &goods).await?;
    let seconds = calls.iter().map(|call| call.seconds).sum();
    Ok(LoadReport { made, url: control.places().to_string(), seconds, calls })
}

async fn read_back(control: &mut Control, fill: &Fill, goods: &Goods) -> Result<(), String> {
    let wrong =
        |what: &str, id: &dyn std::fmt::Display| Err(format!("{what} {id} does not read back as it was loaded"));
    let last = |ids: &Ids| ids.len().checked_sub(1);
    if let Some(last) = last(&goods.items) {
        let id = goods.items.get(last);
        let item: Item = control.find(Service::Stock, format_args!("/find/{id}")).await?;
        if (item.stock, item.price) != (fill.stock, fill.price) {
            return wrong("item", &id);
        }
    }
    if let Some(last) = last(&goods.users) {
        let id = goods.users.get(last);
        let user: User = control.find(Service::Payment, format_args!("/find_user/{id}")).await?;
        if user.credit != fill.credit {
            return wrong("user", &id);
        }
    }
    if let Some(last) = last(&goods.orders) {
        let id = goods.orders.get(last);
        let order: Order = control.find(Service::Order, format_args!("/find/{id}")).await?;
        if (order.paid, order.total_cost) != (false, 2 * fill.price) {
            return wrong("order", &id);
        }
    }
    Ok(())
}
