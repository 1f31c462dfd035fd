//! What participants hold for attempts.

use shardcart_schema::reservation_record;
use shardcart_store::scan::Reservation;

use super::super::findings::Kind;
use super::Pass;

impl Pass<'_> {
    /// What is held can be read.
    pub(super) fn check_readable(&self, service: &str, shard: u16, reservation: &Reservation) {
        if !self.is_first() || reservation.held().is_some() {
            return;
        }
        let (what, tx) = (format!("reservation at {service} shard {shard}"), &reservation.tx);
        if reservation_record::is_newer(&reservation.bytes) {
            self.odd_record(Kind::NotUnderstood, &what, tx, "another version");
        } else {
            self.odd_record(Kind::Unreadable, &what, tx, "no reservation");
        }
    }
}
