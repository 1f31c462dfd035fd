//! The records of attempts at both participants, and the lists of what is held.

use futures_util::future::try_join_all;
use shardcart_common::shards::Shards;
use shardcart_common::walk::{self, Key, Reservation};

use super::super::findings::Kind;
use super::super::shard_failed;
use super::{Done, Pass};

impl Pass<'_> {
    /// An entry of `held` stands for a reservation that is held.
    pub(super) fn check_listed(&self, service: &str, shard: u16, reservation: &Reservation) {
        if !self.is_first() {
            return;
        }
        let tx = &reservation.tx;
        match reservation.record.as_deref() {
            Some(record) if walk::held(record).is_some() => {}
            Some(record) if !record.starts_with("1 ") => {
                self.odd_record(Kind::NotUnderstood, &format!("reservation at {service} shard {shard}"), tx, record);
            }
            other => {
                let found = other.unwrap_or("no record");
                let detail = format!("listed as held at {service} shard {shard}, but its record is: {found}");
                self.findings.add(Kind::StrayHeld, tx, "a reservation", found, detail);
            }
        }
    }

    /// Each reservation that is held is listed, so that recovery and review find it.
    pub(super) async fn check_records(&self, service: &'static str, shards: &Shards) -> Done {
        try_join_all(shards.iter().map(|shard| async move {
            let read = |mut keys: Vec<String>| async move {
                let all = keys.len();
                keys.retain(|key| Key::parse(key).is_some());
                if !keys.is_empty() {
                    for (key, (record, is_listed)) in keys.iter().zip(walk::records(shard, &keys).await?) {
                        let Some((tx, record)) = Key::parse(key).map(|key| key.name).zip(record) else { continue };
                        let number = shard.number();
                        if walk::held(&record).is_some() && !is_listed {
                            let detail = format!("held at {service} shard {number}, and not listed: {record}");
                            self.findings.add(Kind::ReservationNotListed, tx, "an entry in held", "none", detail);
                        } else if !record.starts_with("1 ") && !is_listed {
                            // One that is listed is reported with the list.
                            let what = format!("reservation at {service} shard {number}");
                            self.odd_record(Kind::NotUnderstood, &what, tx, &record);
                        }
                    }
                }
                self.progress.add(all);
                Ok(())
            };
            walk::walk(shard, "{*}:tx:*", read).await
        }))
        .await
        .map_err(shard_failed(service))?;
        Ok(())
    }
}
