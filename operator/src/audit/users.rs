//! The books of the users: what payment says has been charged against its records of payments.
//!
//! Users are read before and after the payments. What is charged only grows, so the sum of the payments has a lower and
//! an upper bound, and when nothing moves they are one number.

use std::collections::{HashMap, HashSet};

use serde_json::json;
use shardcart_payment::audit::Purse;

use super::findings::{Findings, Kind};
use super::ids::{Id, Names};
use super::totals::UserTotals;

#[derive(Debug, Default)]
struct User {
    /// Which of the users that had this id, as a digest.
    incarnation: u64,
    /// Whether a bulk load wrote a user of this id: a smaller load may have removed it.
    is_loaded: bool,
    /// What the user's record says was charged, at the first reading.
    least: i64,
    /// What overwritten payments had charged, at the first reading.
    before: i64,
    /// The sum of the payments.
    charged: i64,
    is_compared: bool,
}

/// The users of one slice.
#[derive(Debug, Default)]
pub struct Users {
    users: HashMap<Id, User>,
    /// Payments that have been counted.
    counted: HashSet<u128>,
}

impl Users {
    /// First reading of a user.
    pub fn opened(&mut self, names: &Names, id: Id, purse: &Purse) {
        let incarnation = names.digest((&purse.incarnation, "", 0));
        self.users.insert(id, User { incarnation, least: purse.gone(), before: purse.before, ..User::default() });
    }

    /// A user that is left out: its record is not understood.
    pub fn left_out(&mut self, id: Id) {
        self.users.entry(id).or_default().is_compared = true;
    }

    /// Whether a payment is seen for the first time.
    pub fn is_new(&mut self, payment: u128) -> bool {
        self.counted.insert(payment)
    }

    /// A checkout has charged a user in one of its incarnations. Of an earlier incarnation it counts no more.
    pub fn charged(&mut self, names: &Names, id: Id, incarnation: &str, amount: i64) {
        let is_loaded = !incarnation.is_empty();
        let incarnation = names.digest((incarnation, "", 0));
        let user = self.users.entry(id).or_insert_with(|| User { incarnation, ..User::default() });
        user.is_loaded |= is_loaded;
        if user.incarnation == incarnation {
            user.charged = user.charged.saturating_add(amount);
        }
    }

    /// Second reading: compares what the user's record says with the payments.
    pub fn compare(&mut self, names: &Names, id: Id, purse: &Purse, totals: &mut UserTotals, findings: &Findings) {
        let incarnation = names.digest((&purse.incarnation, "", 0));
        let user = self.users.entry(id).or_insert_with(|| User { incarnation, ..User::default() });
        if std::mem::replace(&mut user.is_compared, true) {
            return;
        }
        if user.incarnation != incarnation {
            totals.overwritten_meanwhile += 1;
            return;
        }
        // What was overwritten while payments were read may have been counted before, or not.
        let least = user.least.saturating_sub(purse.before);
        let most = purse.gone().saturating_sub(user.before);
        totals.add(purse, user.charged, most.saturating_sub(least));
        let expected = if user.charged < least {
            least
        } else if user.charged > most {
            most
        } else {
            return;
        };
        let Purse { credit, held, net, before, .. } = purse;
        let short = expected.saturating_sub(user.charged);
        let charged = user.charged.saturating_add(*before);
        let wrong = if short > 0 { format!("{short} lost") } else { format!("{} too much", short.saturating_neg()) };
        findings.add(
            Kind::UserCredit,
            &names.text(id),
            json!(net),
            json!(net.saturating_sub(short)),
            format!("net {net}, but credit {credit} + held {held} + charged {charged}: {wrong}"),
        );
    }

    /// Users whom checkouts have charged and who are not there. Those of a bulk load are left out: a smaller one removes
    /// them.
    pub fn missing(&self) -> Vec<(Id, i64)> {
        let missing = self.users.iter().filter(|(_, user)| !user.is_compared && !user.is_loaded && user.charged != 0);
        missing.map(|(id, user)| (*id, user.charged)).collect()
    }
}
