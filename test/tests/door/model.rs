//! Random sequences of operations against a plain model of the shop: every answer is compared.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use shardcart_harness::{Answer, Front, Shop};
use tokio::runtime::Runtime;

/// How many sequences are tried, and how long each may get.
const CASES: u32 = 200;
const LENGTH: usize = 40;

const ITEMS: usize = 3;
const USERS: usize = 2;
const ORDERS: usize = 4;

/// One operation. Numbers choose among the few things of a case; one past the last is something
/// that is not there.
#[derive(Debug, Clone)]
enum Operation {
    AddItem { order: usize, item: usize, quantity: u64 },
    RemoveItem { order: usize, item: usize },
    RemoveOrder { order: usize },
    FindOrder { order: usize },
    Checkout { order: usize },
    AddStock { item: usize, amount: u64 },
    SubtractStock { item: usize, amount: u64 },
    FindItem { item: usize },
    AddFunds { user: usize, amount: u64 },
    FindUser { user: usize },
    Pay { user: usize, order: usize, amount: u64 },
    PayWithoutOrder { user: usize, amount: u64 },
    Cancel { user: usize, order: usize },
    Status { user: usize, order: usize },
}

fn operation() -> impl Strategy<Value = Operation> {
    use Operation::*;
    let (order, item, user, amount) = (0..=ORDERS, 0..=ITEMS, 0..=USERS, 0..8_u64);
    prop_oneof![
        4 => (order.clone(), item.clone(), 0..4_u64)
            .prop_map(|(order, item, quantity)| AddItem { order, item, quantity }),
        2 => (order.clone(), item.clone()).prop_map(|(order, item)| RemoveItem { order, item }),
        1 => order.clone().prop_map(|order| RemoveOrder { order }),
        2 => order.clone().prop_map(|order| FindOrder { order }),
        5 => order.clone().prop_map(|order| Checkout { order }),
        2 => (item.clone(), amount.clone()).prop_map(|(item, amount)| AddStock { item, amount }),
        1 => (item.clone(), amount.clone()).prop_map(|(item, amount)| SubtractStock { item, amount }),
        2 => item.prop_map(|item| FindItem { item }),
        2 => (user.clone(), amount.clone()).prop_map(|(user, amount)| AddFunds { user, amount }),
        2 => user.clone().prop_map(|user| FindUser { user }),
        2 => (user.clone(), order.clone(), 0..3_u64)
            .prop_map(|(user, order, amount)| Pay { user, order, amount }),
        1 => (user.clone(), amount).prop_map(|(user, amount)| PayWithoutOrder { user, amount }),
        2 => (user.clone(), order.clone()).prop_map(|(user, order)| Cancel { user, order }),
        2 => (user, order).prop_map(|(user, order)| Status { user, order }),
    ]
}

/// What one case begins with: price and stock of each item, credit of each user, and whose each
/// order is.
#[derive(Debug, Clone)]
struct Beginning {
    items: Vec<(u64, u64)>,
    users: Vec<u64>,
    orders: Vec<usize>,
}

fn beginning() -> impl Strategy<Value = Beginning> {
    let items = prop::collection::vec((0..5_u64, 0..8_u64), ITEMS);
    let users = prop::collection::vec(0..25_u64, USERS);
    let orders = prop::collection::vec(0..=USERS, ORDERS);
    (items, users, orders).prop_map(|(items, users, orders)| Beginning { items, users, orders })
}

/// The payment of one user for one order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Payment {
    Direct(u64),
    Cancelled,
    Checkout,
}

#[derive(Debug, Clone)]
struct Order {
    user: usize,
    cart: BTreeMap<usize, u64>,
    paid: bool,
    removed: bool,
}

/// The shop as its contract describes it, in memory.
#[derive(Debug)]
struct Model {
    prices: Vec<u64>,
    stock: Vec<u64>,
    credit: Vec<u64>,
    orders: Vec<Order>,
    payments: BTreeMap<(usize, usize), Payment>,
}

/// What may be answered: 200 is the code `""`. More than one only where the contract leaves it
/// open, and then nothing changes, or the answer tells whether it did.
type Codes = Vec<&'static str>;

impl Model {
    fn new(beginning: &Beginning) -> Model {
        let order = |user: &usize| Order { user: *user, cart: BTreeMap::new(), paid: false, removed: false };
        Model {
            prices: beginning.items.iter().map(|(price, _)| *price).collect(),
            stock: beginning.items.iter().map(|(_, stock)| *stock).collect(),
            credit: beginning.users.clone(),
            orders: beginning.orders.iter().map(order).collect(),
            payments: BTreeMap::new(),
        }
    }

    fn total(&self, order: usize) -> u64 {
        self.orders[order].cart.iter().map(|(item, quantity)| self.prices[*item] * quantity).sum()
    }

    /// Why an order cannot be looked at, or changed.
    fn order_is_gone(&self, order: usize) -> bool {
        self.orders.get(order).is_none_or(|order| order.removed)
    }

    /// What the operation may be answered as things stand.
    fn allows(&self, operation: &Operation) -> Codes {
        use Operation::*;
        match *operation {
            AddItem { order, item, quantity } => {
                // Which of several mistakes is found first is left open.
                let mut wrong = vec![];
                wrong.extend((quantity == 0).then_some("invalid_amount"));
                wrong.extend(self.order_is_gone(order).then_some("unknown_order"));
                wrong.extend((item >= ITEMS).then_some("unknown_item"));
                wrong.extend((!self.order_is_gone(order) && self.orders[order].paid).then_some("order_paid"));
                if wrong.is_empty() { vec![""] } else { wrong }
            }
            RemoveItem { order, .. } | RemoveOrder { order } if self.order_is_gone(order) => {
                vec!["unknown_order"]
            }
            RemoveItem { order, .. } | RemoveOrder { order } if self.orders[order].paid => {
                vec!["order_paid"]
            }
            RemoveItem { order, item } if !self.orders[order].cart.contains_key(&item) => {
                vec!["unknown_item"]
            }
            RemoveItem { .. } | RemoveOrder { .. } => vec![""],
            FindOrder { order } if self.order_is_gone(order) => vec!["unknown_order"],
            FindOrder { .. } => vec![""],
            Checkout { order } => self.allows_checkout(order),
            AddStock { item, .. } | SubtractStock { item, .. } | FindItem { item } if item >= ITEMS => {
                vec!["unknown_item"]
            }
            SubtractStock { item, amount } if self.stock[item] < amount => {
                vec!["insufficient_stock"]
            }
            AddStock { .. } | SubtractStock { .. } | FindItem { .. } => vec![""],
            AddFunds { user, .. } | FindUser { user } | PayWithoutOrder { user, .. } | Pay { user, .. }
                if user >= USERS =>
            {
                vec!["unknown_user"]
            }
            AddFunds { .. } | FindUser { .. } => vec![""],
            PayWithoutOrder { user, amount } if self.credit[user] < amount => {
                vec!["insufficient_credit"]
            }
            PayWithoutOrder { .. } => vec![""],
            Pay { user, order, amount } => match self.payments.get(&(user, order)) {
                Some(Payment::Direct(paid)) if *paid == amount => vec![""],
                Some(_) => vec!["already_paid"],
                None if self.credit[user] < amount => vec!["insufficient_credit"],
                None => vec![""],
            },
            Cancel { user, order } => match self.payments.get(&(user, order)) {
                Some(Payment::Direct(_) | Payment::Cancelled) => vec![""],
                Some(Payment::Checkout) => vec!["order_paid"],
                None => vec!["unknown_payment"],
            },
            Status { .. } => vec![""],
        }
    }

    fn allows_checkout(&self, order: usize) -> Codes {
        if self.order_is_gone(order) {
            return vec!["unknown_order"];
        }
        let Order { user, cart, paid, .. } = &self.orders[order];
        if *paid {
            return vec![""];
        }
        if cart.iter().any(|(item, quantity)| self.stock[*item] < *quantity) {
            return vec!["insufficient_stock"];
        }
        if *user >= USERS {
            return vec!["unknown_user"];
        }
        let payable = if self.credit[*user] < self.total(order) { "insufficient_credit" } else { "" };
        match self.payments.get(&(*user, order)) {
            None => vec![payable],
            // What was paid directly and given back no longer counts.
            Some(Payment::Cancelled) => vec![payable],
            Some(_) => vec!["already_paid"],
        }
    }

    /// What the operation does once it has been answered with success.
    fn apply(&mut self, operation: &Operation) {
        use Operation::*;
        match *operation {
            AddItem { order, item, quantity } => *self.orders[order].cart.entry(item).or_default() += quantity,
            RemoveItem { order, item } => {
                let cart = &mut self.orders[order].cart;
                let left = cart[&item] - 1;
                cart.insert(item, left);
                cart.retain(|_, quantity| *quantity > 0);
            }
            RemoveOrder { order } => self.orders[order].removed = true,
            Checkout { order } if !self.orders[order].paid => {
                let total = self.total(order);
                let user = self.orders[order].user;
                for (item, quantity) in self.orders[order].cart.clone() {
                    self.stock[item] -= quantity;
                }
                self.credit[user] -= total;
                self.orders[order].paid = true;
                self.payments.insert((user, order), Payment::Checkout);
            }
            AddStock { item, amount } => self.stock[item] += amount,
            SubtractStock { item, amount } => self.stock[item] -= amount,
            AddFunds { user, amount } => self.credit[user] += amount,
            PayWithoutOrder { user, amount } => self.credit[user] -= amount,
            Pay { user, order, amount } => {
                if self.payments.insert((user, order), Payment::Direct(amount)).is_none() {
                    self.credit[user] -= amount;
                }
            }
            Cancel { user, order } => {
                if let Some(Payment::Direct(paid)) = self.payments.get(&(user, order)).copied() {
                    self.credit[user] += paid;
                    self.payments.insert((user, order), Payment::Cancelled);
                }
            }
            Checkout { .. } | FindOrder { .. } | FindItem { .. } | FindUser { .. } | Status { .. } => {}
        }
    }
}

/// The ids of one case, made anew for each.
struct Names {
    items: Vec<String>,
    users: Vec<String>,
    orders: Vec<String>,
}

impl Names {
    async fn make(shop: &Front, beginning: &Beginning) -> Names {
        let mut names = Names { items: vec![], users: vec![], orders: vec![] };
        for (price, stock) in &beginning.items {
            names.items.push(shop.item_with(*stock, *price).await);
        }
        for credit in &beginning.users {
            names.users.push(shop.user_with(*credit).await);
        }
        names.items.push("no-such-item".to_owned());
        names.users.push("no-such-user".to_owned());
        for user in &beginning.orders {
            names.orders.push(shop.order_of(&names.users[*user], &[]).await);
        }
        names.orders.push(format!("no-such-order-{}", names.orders[0]));
        names
    }

    async fn run(&self, shop: &Front, operation: &Operation) -> Answer {
        use Operation::*;
        let Names { items, users, orders } = self;
        match *operation {
            AddItem { order, item, quantity } => shop.add_item(&orders[order], &items[item], quantity).await,
            RemoveItem { order, item } => shop.remove_item(&orders[order], &items[item]).await,
            RemoveOrder { order } => shop.remove_order(&orders[order]).await,
            FindOrder { order } => shop.find_order(&orders[order]).await,
            Checkout { order } => shop.checkout(&orders[order]).await,
            AddStock { item, amount } => shop.add_stock(&items[item], amount).await,
            SubtractStock { item, amount } => shop.subtract_stock(&items[item], amount).await,
            FindItem { item } => shop.find_item(&items[item]).await,
            AddFunds { user, amount } => shop.add_funds(&users[user], amount).await,
            FindUser { user } => shop.find_user(&users[user]).await,
            Pay { user, order, amount } => shop.pay(&users[user], &orders[order], amount).await,
            PayWithoutOrder { user, amount } => shop.pay_without_order(&users[user], amount).await,
            Cancel { user, order } => shop.cancel(&users[user], &orders[order]).await,
            Status { user, order } => shop.status(&users[user], &orders[order]).await,
        }
    }

    /// The body of a success, where it tells something.
    fn body(&self, model: &Model, operation: &Operation) -> Option<Value> {
        match *operation {
            Operation::FindOrder { order } => {
                let Order { user, cart, paid, .. } = &model.orders[order];
                let mut lines: Vec<(&String, u64)> =
                    cart.iter().map(|(item, quantity)| (&self.items[*item], *quantity)).collect();
                lines.sort();
                Some(json!({
                    "order_id": self.orders[order],
                    "paid": paid,
                    "items": lines,
                    "user_id": self.users[*user],
                    "total_cost": model.total(order),
                }))
            }
            Operation::FindItem { item } => Some(json!({"stock": model.stock[item], "price": model.prices[item]})),
            Operation::FindUser { user } => Some(json!({"user_id": self.users[user], "credit": model.credit[user]})),
            Operation::Status { user, order } => {
                let paid = matches!(model.payments.get(&(user, order)), Some(Payment::Direct(_) | Payment::Checkout));
                Some(json!({ "paid": paid }))
            }
            Operation::AddFunds { .. } => Some(json!({"done": true})),
            _ => None,
        }
    }
}

/// Runs one sequence and compares every answer, then everything that is left.
async fn compare(shop: &Front, beginning: &Beginning, operations: &[Operation]) -> Result<(), TestCaseError> {
    let names = Names::make(shop, beginning).await;
    let mut model = Model::new(beginning);
    let last_looks = (0..ORDERS)
        .map(|order| Operation::FindOrder { order })
        .chain((0..ITEMS).map(|item| Operation::FindItem { item }))
        .chain((0..USERS).map(|user| Operation::FindUser { user }));
    for operation in operations.iter().cloned().chain(last_looks) {
        let allowed = model.allows(&operation);
        let mut answer = names.run(shop, &operation).await;
        prop_assert!(allowed.contains(&answer.code()), "{operation:?}: allowed {allowed:?}, got {answer:?}");
        if answer.code().is_empty() {
            prop_assert_eq!(answer.status, 200, "{:?}: {:?}", operation, answer);
            model.apply(&operation);
            if let Some(lines) = answer.body.get_mut("items").and_then(Value::as_array_mut) {
                lines.sort_by_key(ToString::to_string);
            }
            if let Some(body) = names.body(&model, &operation) {
                prop_assert_eq!(&answer.body, &body, "{:?}", operation);
            }
        } else {
            answer.is_well_formed_problem();
        }
    }
    Ok(())
}

#[test]
fn every_answer_to_a_random_sequence_of_operations_is_that_of_a_plain_model() {
    let runtime = Runtime::new().expect("a runtime can be built");
    let shop = runtime.block_on(Shop::start());
    let front = shop.front();
    let config = Config { cases: CASES, failure_persistence: None, max_shrink_iters: 200, ..Config::default() };
    let sequence = prop::collection::vec(operation(), 1..LENGTH);
    let tried = TestRunner::new(config).run(&(beginning(), sequence), |(beginning, operations)| {
        runtime.block_on(compare(&front, &beginning, &operations))
    });
    if let Err(failure) = tried {
        panic!("{failure}");
    }
}
